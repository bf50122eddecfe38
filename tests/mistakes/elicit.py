"""Typical wrong answers to the exercises of *Eliciting values*."""

import numpy as np


def forgets_the_keys(agreement, keys):
    return np.mean(agreement)


def sums(agreement, keys):
    return np.sum(agreement * keys)


MISTAKES = {"score": [forgets_the_keys, sums]}
