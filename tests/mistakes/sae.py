"""Typical wrong answers to the exercises of *Steering with SAE features*."""

import numpy as np


def does_not_cut(h, W_enc, b_enc, b_dec):
    return (h - b_dec) @ W_enc + b_enc


def forgets_the_decoders_bias(h, W_enc, b_enc, b_dec):
    return np.maximum(h @ W_enc + b_enc, 0)


def adds_the_decoders_bias(h, W_enc, b_enc, b_dec):
    return np.maximum((h + b_dec) @ W_enc + b_enc, 0)


def cuts_too_early(h, W_enc, b_enc, b_dec):
    return np.maximum((h - b_dec) @ W_enc, 0) + b_enc


def dose(added, states):
    return np.linalg.norm(added) / np.linalg.norm(states, axis=1).mean()


def takes_a_column(h, W_dec, f, coefficient):
    shift = coefficient * W_dec[:, f]
    return h + shift, dose(shift, h)


def takes_length_one(h, W_dec, f, coefficient):
    shift = coefficient * W_dec[f] / np.linalg.norm(W_dec[f])
    return h + shift, dose(shift, h)


def takes_the_mean_state(h, W_dec, f, coefficient):
    shift = coefficient * W_dec[f]
    return h + shift, np.linalg.norm(shift) / np.linalg.norm(h.mean(axis=0))


def takes_pushed_states(h, W_dec, f, coefficient):
    shift = coefficient * W_dec[f]
    return h + shift, dose(shift, h + shift)


def signs_the_dose(h, W_dec, f, coefficient):
    shift = coefficient * W_dec[f]
    return h + shift, np.sign(coefficient) * dose(shift, h)


def pushes_all_tokens(layer, vector, position):
    return layer.register_forward_hook(lambda module, inputs, output: output + vector)


def changes_in_place(layer, vector, position):
    def hook(module, inputs, output):
        output[:, position] += vector
        return output

    return layer.register_forward_hook(hook)


def returns_nothing(layer, vector, position):
    def hook(module, inputs, output):
        changed = output.clone()
        changed[:, position] += vector

    return layer.register_forward_hook(hook)


def replaces(layer, vector, position):
    def hook(module, inputs, output):
        changed = output.clone()
        changed[:, position] = vector
        return changed

    return layer.register_forward_hook(hook)


def takes_sequences_for_tokens(layer, vector, position):
    def hook(module, inputs, output):
        changed = output.clone()
        changed[position % len(changed)] += vector
        return changed

    return layer.register_forward_hook(hook)


MISTAKES = {
    "encode": [does_not_cut, forgets_the_decoders_bias, adds_the_decoders_bias, cuts_too_early],
    "push": [
        takes_a_column,
        takes_length_one,
        takes_the_mean_state,
        takes_pushed_states,
        signs_the_dose,
    ],
    "hook": [
        pushes_all_tokens,
        changes_in_place,
        returns_nothing,
        replaces,
        takes_sequences_for_tokens,
    ],
}
