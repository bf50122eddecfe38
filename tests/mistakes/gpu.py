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


MISTAKES = {
    "budget": [pushes_without_a_base, seconds, cells_as_answers],
    "memory": [bits_as_bytes, everything_quantised, without_scales, binary_units],
}
