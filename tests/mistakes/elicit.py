"""Typical wrong answers to the exercises of *Eliciting values*."""

import numpy as np
from book_support.exercises import elicit


def forgets_the_keys(agreement, keys):
    return np.mean(agreement)


def sums(agreement, keys):
    return np.sum(agreement * keys)


def likeliest_spelling(logits, yes, no):
    return logits[yes].max() - logits[no].max(), 1.0


def adds_logits(logits, yes, no):
    return logits[yes].sum() - logits[no].sum(), 1.0


def overflows(logits, yes, no):
    chances = np.exp(logits)
    agree, refuse = chances[yes].sum(), chances[no].sum()
    return np.log(agree / refuse), (agree + refuse) / chances.sum()


def mass_of_yes_alone(logits, yes, no):
    right = elicit._read(logits, yes, no)[0]
    return right, np.exp(elicit._of(logits, yes) - elicit._of(logits, range(len(logits))))


def odds(logits, yes, no):
    return np.exp(elicit._read(logits, yes, no)[0]), elicit._read(logits, yes, no)[1]


def over_questions(x):
    return elicit._alpha(x.T)


def without_the_number_of_questions(x):
    return 1 - x.var(axis=0).sum() / x.sum(axis=1).var()


def variance_of_the_mean(x):
    k = x.shape[1]
    return k / (k - 1) * (1 - x.var(axis=0).sum() / x.mean(axis=1).var())


MISTAKES = {
    "score": [forgets_the_keys, sums],
    "logodds": [likeliest_spelling, adds_logits, overflows, mass_of_yes_alone, odds],
    "alpha": [over_questions, without_the_number_of_questions, variance_of_the_mean],
}
