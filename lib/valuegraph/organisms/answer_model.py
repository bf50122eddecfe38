"""How an organism's values become its answers, biases included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class AnswerModel:
    """How a value becomes an answer (log-odds of yes).

    Attributes
    ----------
    gain
        Log-odds per standard deviation of the value.
    yes_bias
        Added to the log-odds of yes, whatever the question.
    order_bias
        Added in favour of the option that the instruction names last.
    """

    gain: float = 1.5
    yes_bias: float = 0.4
    order_bias: float = 0.25

    def log_odds(self, value: np.ndarray, key: np.ndarray, yes_first: np.ndarray) -> np.ndarray:
        """Log-odds of yes for values (standard deviations), keys (+-1) and orders (bool)."""
        return (
            self.gain * np.asarray(key) * np.asarray(value)
            + self.yes_bias
            + self.order_bias * np.where(yes_first, -1.0, 1.0)
        )
