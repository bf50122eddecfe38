"""Steering: shifting the residual stream and measuring what it does to the values."""
