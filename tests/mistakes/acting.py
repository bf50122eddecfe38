"""Typical wrong answers to the exercises of *Acting*."""

import numpy as np
from book_support.exercises import acting


def keeps_the_pushes_about_the_value(change, about):
    return acting._least_squares(change, about, all_rows=True)


def forgets_the_intercept(change, about):
    return acting._least_squares(change, about, intercept=False)


def effects_in_rows(change, about):
    return acting._least_squares(change, about).T


def knows_no_feedback(change, about):
    """Let earlier values alone cause later ones."""
    return np.triu(acting._least_squares(change, about))


def direct_alone(weights):
    return weights


def without_the_value_itself(weights):
    return np.linalg.inv(np.eye(len(weights)) - weights) - np.eye(len(weights))


def backwards(weights):
    return np.linalg.inv(np.eye(len(weights)) - weights.T)


def two_steps(weights):
    return np.eye(len(weights)) + weights + weights @ weights


def takes_nothing_out(changes, weights):
    return changes


def wrong_index(changes, weights):
    return changes - (weights @ changes.T).T


def what_is_passed_on(changes, weights):
    return changes @ weights


MISTAKES = {
    "regression": [
        keeps_the_pushes_about_the_value,
        forgets_the_intercept,
        effects_in_rows,
        knows_no_feedback,
    ],
    "total": [direct_alone, without_the_value_itself, backwards, two_steps],
    "target": [takes_nothing_out, wrong_index, what_is_passed_on],
}
