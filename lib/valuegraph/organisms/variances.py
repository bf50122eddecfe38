"""Spreads of exogenous terms that give every value of a linear acyclic model variance one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def unit_variance_noise(weights: np.ndarray, values: Sequence[str]) -> np.ndarray:
    """Return the exogenous standard deviations, shape ``(d,)``, that give every value variance one.

    Parameters
    ----------
    weights
        Direct effects of an acyclic graph, shape ``(d, d)``: ``[child, parent]``.
    values
        Codes of the values, for the message.

    Raises
    ------
    ValueError
        If the parents of a value already explain a variance of one or more.
    """
    d = len(weights)
    covariance = np.zeros((d, d))
    noise_variance = np.zeros(d)
    for child in topological_order(weights):
        # Parents come first, so their covariances with all earlier values are complete.
        explained = weights[child] @ covariance @ weights[child]
        noise_variance[child] = 1 - explained
        if noise_variance[child] <= 0:
            raise ValueError(
                f"the parents of {values[child]} explain {explained:.2f} of its variance; "
                "make its weights smaller, so that less than 1 is explained"
            )
        covariance[child] = covariance[:, child] = covariance @ weights[child]
        covariance[child, child] = 1
    return np.sqrt(noise_variance)


def topological_order(weights: np.ndarray) -> list[int]:
    """Sort the values of an acyclic graph, parents before children.

    Parameters
    ----------
    weights
        Direct effects, shape ``(d, d)``: ``[child, parent]``.

    Returns
    -------
    list of int
        Indices of the values, the smallest first among equals.
    """
    remaining, order = set(range(len(weights))), []
    while remaining:
        ready = min(i for i in remaining if not remaining & set(np.flatnonzero(weights[i])))
        order.append(ready)
        remaining.remove(ready)
    return order
