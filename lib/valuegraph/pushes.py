"""What interventions are made of: sentences about values, and directions of the residual stream.

A feature of an autoencoder has to do better than a sentence, which anyone can write, than a
difference of two means, which anyone can compute, and than a random direction of the same length.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd

from valuegraph.interventions import Sentence, Shift
from valuegraph.inventory import Inventory
from valuegraph.roles import RoleBank, known, stance_sentence
from valuegraph.tables import generator, require, require_whole

#: How Kang et al. (2025) name a value to a model; its label and phrase are the inventory's.
HARD_PROMPT = "You are {inclined} to the value of {label}, which means {phrase}."


def stances(inventory: Inventory, bank: RoleBank, *, values=None, levels=None) -> list[Sentence]:
    """Say how much a person cares about a value, such as "You care a lot about choosing freely".

    Parameters
    ----------
    inventory, bank
        Give the phrase of each value and the wording of each level.
    values : sequence of str, optional
        Codes of values; by default all.
    levels : sequence of float, optional
        Levels of the bank, in standard deviations of the value; by default all, from the lowest.

    Returns
    -------
    list of Sentence
        Value by value, named after value and stance, such as ``"SD: a lot"``; the ``amount`` of
        their origin is the level.
    """
    names = dict(zip(bank.stances["level"], bank.stances["stance"], strict=True))
    values = inventory.codes if values is None else values
    made = []
    for value, level in product(values, sorted(names) if levels is None else levels):
        text = stance_sentence(bank, inventory, value, level)
        name = f"{value}: {names[level].replace('_', ' ')}"
        made.append(_about(name, text, "stance", value, level))
    return made


def single_facts(bank: RoleBank, facts: Sequence[str] | None = None) -> list[Sentence]:
    """Turn life facts into sentences, by default all facts that are about a value.

    Parameters
    ----------
    bank
        Gives the facts.
    facts
        Ids of facts.

    Returns
    -------
    list of Sentence
        Named after the facts, such as ``"fact SD_f3"``; the ``amount`` of their origin is the
        strength of the fact.
    """
    facts = [fact for fact, (v, _) in bank.effects.items() if v] if facts is None else facts
    facts = [known(fact, bank.texts) for fact in facts]
    return [_about(f"fact {f}", bank.texts[f], "fact", *bank.effects[f]) for f in facts]


def word_pushes(inventory: Inventory, bank: RoleBank, *, neutral: int = 20) -> list[Sentence]:
    """Gather sentences to act with: strong stances, life facts, and neutral facts for the null.

    Parameters
    ----------
    inventory, bank
        Give values, stances and facts; facts about values that are not asked about are left out.
    neutral : int
        How many of the bank's neutral facts, spread evenly over it.

    Returns
    -------
    list of Sentence
        Stances at the two highest and the two lowest levels, then facts, then neutral facts.
    """
    levels = sorted(bank.stances["level"])
    about = [f for value in inventory.codes for f in bank.facts_by_value.get(value, ())]
    none = bank.facts_by_value.get("", ())
    require_whole(neutral, 0, "neutral, the number of neutral facts,", most=len(none))
    spread = [none[i * len(none) // neutral] for i in range(neutral)]
    strong = stances(inventory, bank, levels=[*levels[:2], *levels[-2:]])
    return [*strong, *single_facts(bank, about), *single_facts(bank, spread)]


def hard_prompts(inventory: Inventory, *, values=None, inclined=True) -> list[Sentence]:
    """Name values outright, as Kang et al. (2025) did to compare with their features.

    Organisms do not know these words and refuse them; their nearest are the strongest of `stances`.

    Parameters
    ----------
    inventory
        Gives label and phrase of each value.
    values : sequence of str, optional
        Codes of values; by default all.
    inclined : bool
        Whether to the value, or "disinclined" to it.

    Returns
    -------
    list of Sentence
        Named like ``"SD: hard prompt for"`` or ``"... against"``; their ``amount`` is +1 or -1.

    References
    ----------
    Kang, Y., et al. (2025). Are the values of LLMs structurally aligned with humans? A causal
    perspective. Findings of ACL 2025, 23147-23161.
    """
    word, way, amount = ("inclined", "for", 1) if inclined else ("disinclined", "against", -1)
    made = []
    for value in inventory.codes if values is None else values:
        label, phrase = inventory.values.loc[known(value, inventory.codes), ["label", "phrase"]]
        text = HARD_PROMPT.format(inclined=word, label=label, phrase=phrase)
        made.append(_about(f"{value}: hard prompt {way}", text, "hard prompt", value, amount))
    return made


def _about(name: str, text: str, kind: str, value: str, amount: float) -> Sentence:
    return Sentence(name, text, {"kind": kind, "value": value, "amount": float(amount)})


def difference_of_means(states, scores: pd.DataFrame, value: str, *, share=0.5) -> np.ndarray:
    """Mean state of the roles that score high on a value, minus that of those that score low.

    What goes along with the value among the roles goes into the direction too. In a linear causal
    system, where a state holds the exogenous terms ``u`` and the values are ``v = T u``, a push
    along it moves the values along their *covariances*, ``cov(v) e_v``; a push of the value itself
    would move them along its *effects*, ``T e_v``.

    Parameters
    ----------
    states : numpy.ndarray
        States of the roles, shape ``(n, width)``, as `valuegraph.states` gives them.
    scores
        Scores of the same roles in the same order, one column per value.
    value
        Column of the value.
    share : float
        Share of the roles in each group, up to 0.5. A smaller share compares extremes.

    Returns
    -------
    numpy.ndarray
        Shape ``(width,)``, in the units of the states: the step from low to high.
    """
    n_roles = len(_matrix(states))
    n = int(share * n_roles)
    if n_roles != len(scores):
        both = f"there are states of {n_roles} roles and scores of {len(scores)}"
        raise ValueError(f"{both}; give both of the same roles, in one order")
    if value not in scores or scores.columns.has_duplicates:
        raise ValueError(f"scores need one column {value!r}; there are {list(scores)}")
    if share > 0.5 or n < 1:
        raise ValueError(f"share is {share}; take up to half of {n_roles} roles, one at least")
    score = scores[value].to_numpy(dtype=float)
    if not np.isfinite(score).all() or np.ptp(score) == 0:
        raise ValueError(f"scores of {value} are missing for some roles, or the same for all")
    order = np.argsort(score, kind="stable")
    return states[order[-n:]].mean(axis=0) - states[order[:n]].mean(axis=0)


def random_directions(like: np.ndarray, n: int, *, seed: int) -> np.ndarray:
    """Draw `n` directions at random that are as long as a given one: shape ``(n, width)``."""
    drawn = generator(seed).standard_normal((n, len(like)))
    norm = np.linalg.norm(np.asarray(like, dtype=float))
    return drawn * (norm / np.linalg.norm(drawn, axis=1, keepdims=True))


def with_norm(vector: np.ndarray, norm: float) -> np.ndarray:
    """Stretch a direction to a length."""
    require(np.any(vector), "a direction of zeros has no length to stretch")
    return np.asarray(vector, dtype=float) * (norm / np.linalg.norm(vector))


def mean_norm(states: np.ndarray) -> float:
    """Mean length of states, shape ``(n, width)``: ``mean ||h||``."""
    return float(np.linalg.norm(_matrix(states), axis=1).mean())


def relative_dose(vector: np.ndarray, states: np.ndarray) -> float:
    """Dose of a shift: its length relative to the states it is added to, ``||d|| / mean ||h||``.

    Parameters
    ----------
    vector
        The shift, shape ``(width,)``.
    states
        States of the same layer at the tokens concerned, shape ``(n, width)``.
    """
    if np.shape(vector) != np.shape(states)[1:]:
        raise ValueError(f"the shift has shape {np.shape(vector)}, the states {np.shape(states)}")
    return float(np.linalg.norm(vector) / mean_norm(states))


def control_shifts(shift: Shift, *, n_random=5, layers=(), difference=None, seed=0) -> list[Shift]:
    """Make controls of a shift that are as long as it is and act at the same place.

    Parameters
    ----------
    shift
        The feature's.
    n_random : int
        Number of random directions: what any push does.
    layers : sequence of int
        Other layers at which the same vector is added: whether the place matters.
    difference : numpy.ndarray, optional
        A difference of means, shape ``(width,)``, of any length, added with both signs: whether the
        autoencoder was needed.
    seed : int
        Of the random directions.

    Returns
    -------
    list of Shift
        Their origin holds the kind, ``"random"``, ``"other layer"`` or ``"difference of means"``,
        as ``control``.
    """
    if not shift.vector.any() or shift.layer in layers:
        raise ValueError(f"{shift.name!r} is zero, or its layer {shift.layer} is among {layers}")
    drawn = random_directions(shift.vector, n_random, seed=seed)
    made = [("random", f"random {i}", {"vector": v}) for i, v in enumerate(drawn, start=1)]
    made += [("other layer", f"layer {layer}", {"layer": layer}) for layer in layers]
    if difference is not None:
        kind, same = "difference of means", with_norm(difference, np.linalg.norm(shift.vector))
        made += [(kind, kind, {"vector": same}), (kind, f"{kind}, away", {"vector": -same})]
    return [replace(shift, name=name, origin={"control": kind}, **to) for kind, name, to in made]


def _matrix(states: np.ndarray) -> np.ndarray:
    if np.ndim(states) != 2 or not np.size(states) or not np.isfinite(states).all():
        raise ValueError(f"states must be a finite matrix (n, width), got shape {np.shape(states)}")
    return states
