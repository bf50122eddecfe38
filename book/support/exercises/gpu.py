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
