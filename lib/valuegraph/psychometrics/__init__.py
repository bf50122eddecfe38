"""Statistics of answers: arrays, coefficients, resampling of roles, and reports with intervals."""
