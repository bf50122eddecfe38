"""Exercises of *Steering with SAE features*."""

from __future__ import annotations

import numpy as np
import torch
from book_support.exercises import differs


def encode(answer) -> str | None:
    """`answer(h, W_enc, b_enc, b_dec)`: the activities of an autoencoder."""
    rng = np.random.default_rng(8)
    h, W_enc = rng.normal(size=(5, 4)), rng.normal(size=(4, 7))
    b_enc, b_dec, none = rng.normal(size=7), rng.normal(size=4), (np.zeros(7), np.zeros(4))
    given = answer(h, W_enc, b_enc, b_dec)
    given, right = np.asarray(given), np.maximum((h - b_dec) @ W_enc + b_enc, 0)
    if given.shape == right.shape and (given < 0).any():
        return f"five states: an activity of {given.min():.2f} comes back; how much can be present?"
    if given.shape == right.shape and not np.allclose(given, right):
        if np.allclose(given, np.maximum(h @ W_enc + b_enc, 0)):
            return (
                "right only while b_dec is 0: what stands for a state in which nothing is active?"
            )
        if np.allclose(given, np.maximum((h - b_dec) @ W_enc, 0) + b_enc.clip(0)):
            return "five states: the bias of the encoder comes after the cut, not before it"
    cases = {
        "five states, no biases": (h, W_enc, *none),
        "five states, four numbers each, seven features": (h, W_enc, b_enc, b_dec),
        "one state, at b_dec itself": (b_dec[None], W_enc, b_enc, b_dec),
    }
    return differs(answer, lambda h, W, b, d: np.maximum((h - d) @ W + b, 0), cases)


def push(answer) -> str | None:
    """`answer(h, W_dec, f, coefficient)`: the pushed states, and the dose."""
    rng = np.random.default_rng(9)
    h, W_dec = rng.normal(size=(6, 4)), 2 * rng.normal(size=(4, 4))
    given = answer(h, W_dec, 1, 3.0)
    try:
        pushed, dose = given
    except (TypeError, ValueError):
        return "two things are to come back: the pushed states, and the dose"
    added = np.asarray(pushed) - h
    if added.shape != h.shape:
        return f"six states of four numbers: the pushed ones have the shape {np.shape(pushed)}"
    if np.allclose(added, 3 * W_dec[:, 1]):
        return "feature 1: what was added is a column of W_dec, not what feature 1 writes"
    if np.allclose(added, 3 * W_dec[1] / np.linalg.norm(W_dec[1])):
        return "coefficient 3: what was added is 3 long, whatever the raw length of the row"
    if not np.allclose(added, 3 * W_dec[1]):
        return "feature 1, coefficient 3: what was added to the states is not right"
    lengths, length = np.linalg.norm(h, axis=1), np.linalg.norm(added[0])
    if np.isclose(dose, length / np.linalg.norm(h.mean(axis=0))):
        return (
            f"a dose of {dose:.2f}: states that point apart have a short mean; take their lengths"
        )
    if np.isclose(dose, length / np.linalg.norm(pushed, axis=1).mean()):
        return f"a dose of {dose:.2f} is told beside states that were already pushed"
    if not np.isclose(dose, length / lengths.mean()):
        return f"six states, feature 1, coefficient 3: a dose of {dose:.2f} is not right"
    _, dose = answer(h, W_dec, 2, -1.0)
    if not np.isclose(dose, np.linalg.norm(W_dec[2]) / lengths.mean()):
        return f"a push downwards (coefficient -1): a dose of {dose:.2f} is not right"
    return None


def hook(answer) -> str | None:
    """`answer(layer, vector, position)`: a hook that adds a vector at one token."""
    generator = torch.Generator().manual_seed(0)
    layer, inputs = torch.nn.Identity(), torch.randn(2, 5, 3, generator=generator)
    before, vector = inputs.clone(), torch.tensor([1.0, -2.0, 0.5])
    handle = answer(layer, vector, 3)
    if not hasattr(handle, "remove"):
        return f"what comes back has no remove(): {type(handle).__name__}"
    output = layer(inputs)
    wanted = before.clone()
    wanted[:, 3] += vector
    case = "two sequences of five tokens, position 3"
    if not torch.equal(inputs, before):
        return f"{case}: the tensor that went into the layer has changed, too"
    if torch.equal(output, before):
        return f"{case}: the output is as before; what does torch do with what a hook returns?"
    if torch.allclose(output, before + vector):
        return f"{case}: all five tokens are pushed"
    if torch.allclose(output[:, 3], vector.expand(2, 3)):
        return f"{case}: the vector stands in the place of the state, instead of being added"
    if output.shape != wanted.shape or not torch.allclose(output, wanted):
        return f"{case}: the output is not right at every token"
    handle.remove()
    if not torch.equal(layer(inputs), before):
        return f"{case}: the push goes on after remove()"
    return None
