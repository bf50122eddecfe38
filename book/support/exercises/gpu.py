"""Exercises of *Your own GPU*."""

from __future__ import annotations

import numpy as np
from book_support.exercises import differs


def _budget(roles, formats, pushes, questions, rate):
    cells = roles * formats * (1 + pushes)
    return cells, cells * questions / rate / 60


def budget(answer) -> str | None:
    """`answer(roles, formats, pushes, questions, rate)`: cells and minutes of a run."""
    given, right = answer(100, 2, 10, 80, 200), _budget(100, 2, 10, 80, 200)
    said = "100 roles in 2 formats under 10 pushes, 80 questions, 200 answers a second: "
    if np.shape(given) != (2,):
        return said + "two numbers are asked for, cells and minutes"
    if np.isclose(given[0], 100 * 2 * 10):
        return said + "what is every push compared with? That has to be asked as well"
    if np.isclose(given[1], right[1] * 60):
        return said + "these are seconds"
    if np.isclose(given[1], right[1] / 80):
        return said + "a cell is not one answer"
    cases = {
        "100 roles in 2 formats under 10 pushes, 80 questions, 200 a second": (100, 2, 10, 80, 200),
        "400 roles in 1 format without a push, 80 questions, 50 a second": (400, 1, 0, 80, 50),
    }
    return differs(answer, _budget, cases)


def _weights(linear, other, bits):
    kept = linear * bits / 8 + (4 * linear / 64 if bits == 4 else 0)
    return (kept + 2 * other) / 1e9


def memory(answer) -> str | None:
    """`answer(linear, other, bits)`: gigabytes of weights in 16 or 4 bits."""
    given, right = answer(7e9, 1e9, 4), _weights(7e9, 1e9, 4)
    said = "seven billion weights in linear layers and one billion others, in 4 bits: "
    if np.isclose(given, right * 8) or given > 16:
        return said + "that is more than 16 bits would take; a byte has eight bits"
    if np.isclose(given, right * 1e9 / 2**30):
        return said + "that is in units of 2 to the power of 30; a gigabyte here has 10 to the 9"
    if np.isclose(given, _weights(8e9, 0, 4)) or np.isclose(given, 4):
        return said + "embeddings and the like stay as they are, in 16 bits"
    if np.isclose(given, 7e9 / 2 / 1e9 + 2):
        return said + "what turns 4 bits back into a weight has to be kept, too"
    cases = {
        "seven billion weights in linear layers and one billion others, in 4 bits": (7e9, 1e9, 4),
        "the same in 16 bits": (7e9, 1e9, 16),
    }
    return differs(answer, _weights, cases)


def _twins(rows, others):
    rows, others = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (rows, others))
    cosines = rows @ others.T
    return cosines.argmax(axis=1), cosines.max(axis=1)


def twins(answer) -> str | None:
    """`answer(rows, others)`: number of the most similar of the others, and its cosine."""
    rows = np.array([[2.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    others = np.array([[6.0, 6.0, 0.0], [0.0, -1.0, -1.0], [0.5, 0.1, 0.0], [0.0, 0.2, 0.1]])
    said = "two features of length 2 and 1.4, and four others, some long and one turned round: "
    given, (which, cosine) = answer(rows, others), _twins(rows, others)
    if len(given) != 2 or np.shape(given[0]) != np.shape(given[1]):
        return said + "two arrays of one length are asked for, numbers and cosines"
    if np.shape(given[0]) == (4,):
        return said + "a twin is asked for of each of the two, not of each of the four"
    if np.shape(given[0]) != (2,):
        return f"{said}one number a feature is asked for; got the shape {np.shape(given[0])}"
    if np.max(given[1]) > 1 + 1e-9:
        return said + "no cosine is larger than 1; the length of a row must not count"
    if given[0][1] == 1:
        return said + "what points the other way does the opposite, and is no twin"
    if np.array_equal(given[0], which) and not np.allclose(given[1], cosine):
        return said + "the twins are right, but their cosines are not"
    rng = np.random.default_rng(0)
    cases = {
        "the same two features and four others": (rows, others),
        "five features and seven others at random": tuple(rng.normal(size=(n, 4)) for n in (5, 7)),
    }
    return differs(answer, _twins, cases)
