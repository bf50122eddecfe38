"""Typical wrong answers to the exercises of *Your own GPU*."""


def pushes_without_a_base(roles, formats, pushes, questions, rate):
    cells = roles * formats * max(pushes, 1)
    return cells, cells * questions / rate / 60


def seconds(roles, formats, pushes, questions, rate):
    cells = roles * formats * (1 + pushes)
    return cells, cells * questions / rate


def cells_as_answers(roles, formats, pushes, questions, rate):
    cells = roles * formats * (1 + pushes)
    return cells, cells / rate / 60


def bits_as_bytes(linear, other, bits):
    return (linear * bits + 16 * other) / 1e9


def everything_quantised(linear, other, bits):
    return (linear + other) * bits / 8 / 1e9


def without_scales(linear, other, bits):
    return (linear * bits / 8 + 2 * other) / 1e9


def binary_units(linear, other, bits):
    scales = 4 * linear / 64 if bits == 4 else 0
    return (linear * bits / 8 + scales + 2 * other) / 2**30


def products(rows, others):
    return (rows @ others.T).argmax(axis=1), (rows @ others.T).max(axis=1)


def _cosines(rows, others):
    rows, others = (x / (x**2).sum(axis=1, keepdims=True) ** 0.5 for x in (rows, others))
    return rows @ others.T


def of_the_others(rows, others):
    cosines = _cosines(rows, others)
    return cosines.argmax(axis=0), cosines.max(axis=0)


def either_way(rows, others):
    cosines = abs(_cosines(rows, others))
    return cosines.argmax(axis=1), cosines.max(axis=1)


def all_cosines(rows, others):
    return _cosines(rows, others), _cosines(rows, others)


def mean_cosines(rows, others):
    return _cosines(rows, others).argmax(axis=1), _cosines(rows, others).mean(axis=1)


MISTAKES = {
    "budget": [pushes_without_a_base, seconds, cells_as_answers],
    "memory": [bits_as_bytes, everything_quantised, without_scales, binary_units],
    "twins": [products, of_the_others, either_way, all_cosines, mean_cosines],
}
