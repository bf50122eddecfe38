"""Exercises of *Eliciting values*."""

from __future__ import annotations

import numpy as np
from book_support.exercises import differs


def score(answer) -> str | None:
    """`answer(agreement, keys)`: the score of a value, with questions keyed against it turned."""
    yes, keys = np.ones(4), np.array([1, 1, -1, -1])
    if np.isclose(answer(yes, keys), 1):
        return "who says yes to everything gets 1: what does yes to a question keyed -1 mean?"
    rng = np.random.default_rng(7)
    cases = {
        "yes to everything, two keys of each kind": (yes, keys),
        "yes to three questions, keyed 1": (np.ones(3), np.ones(3)),
        "no to two questions keyed -1": (-np.ones(2), -np.ones(2)),
        "seven graded answers": (rng.uniform(-1, 1, 7), rng.choice([-1, 1], 7)),
    }
    return differs(answer, lambda agreement, keys: np.mean(agreement * keys), cases)


def _of(logits, spellings) -> float:
    return float(np.logaddexp.reduce(np.asarray(logits, dtype=float)[list(spellings)]))


def _read(logits, yes, no):
    every = np.logaddexp.reduce(np.asarray(logits, dtype=float))
    agree, refuse = _of(logits, yes), _of(logits, no)
    return agree - refuse, float(np.exp(np.logaddexp(agree, refuse) - every))


def logodds(answer) -> str | None:
    """`answer(logits, yes, no)`: log-odds of yes and the mass, from the logits of all words."""
    logits, yes, no = np.array([2.0, 1.5, 1.0, -1.0, 0.5, 3.0]), [0, 1], [2, 3]
    given, right = answer(logits, yes, no), _read(logits, yes, no)
    said = "six words, two spellings of yes and two of no: "
    if np.shape(given) != (2,):
        return said + "two numbers are asked for, the log-odds and the mass"
    chances = np.exp(logits - np.logaddexp.reduce(logits))
    if np.isclose(given[0], logits[yes].max() - logits[no].max()):
        return said + "the likeliest spelling is not the only one; where do the others count?"
    if np.isclose(given[0], logits[yes].sum() - logits[no].sum()):
        return said + "a sum of logits is the logarithm of a *product* of probabilities"
    if np.isclose(given[0], chances[yes].sum() / chances[no].sum()):
        return said + "these are the odds; the log-odds are asked for"
    if not np.isclose(given[0], right[0]):
        return said + f"log-odds of {given[0]:.3f} are not right"
    if np.isclose(given[1], 1) or np.isclose(given[1], chances[yes].sum()):
        return said + "the mass is the share of yes and no together in the probability of all words"
    cases = {
        "six words, two spellings of yes and two of no": (logits, yes, no),
        "logits near 1,000, whose exponentials no computer holds": (logits + 1000, yes, no),
        "one spelling of each, and a mass near zero": (np.array([-5.0, 0, -6, 9]), [0], [2]),
    }
    with np.errstate(over="ignore", invalid="ignore"):
        return differs(answer, _read, cases)


def _alpha(x):
    k = x.shape[1]
    return k / (k - 1) * (1 - x.var(axis=0).sum() / x.sum(axis=1).var())


def alpha(answer) -> str | None:
    """`answer(x)`: Cronbach's alpha of keyed answers, roles in rows and questions in columns."""
    rng = np.random.default_rng(11)
    x = rng.normal(size=(60, 1)) + rng.normal(0, 0.8, (60, 5))
    given = answer(x)
    said = "sixty roles and five questions that share a value: "
    if np.isclose(given, _alpha(x.T)):
        return said + "variances are to be taken over roles, not over questions"
    if np.isclose(given, _alpha(x) * 4 / 5):
        return said + "five questions that agree perfectly would get less than 1 that way"
    if given < -1:
        return said + "one of the two variances is that of the *sum* over questions"
    cases = {
        "sixty roles and five questions that share a value": (x,),
        "five questions that have nothing in common": (rng.normal(size=(60, 5)),),
        "two questions that agree perfectly": (np.repeat(rng.normal(size=(20, 1)), 2, axis=1),),
    }
    return differs(answer, _alpha, cases)
