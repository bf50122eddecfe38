"""Steering by words: sentences that are told at the end of a role, as interventions.

Three kinds. A *stance* says how much a person cares, in six degrees of both signs ("You care a lot
about choosing freely."). A *fact* is one sentence about a life, from which a respondent has to
infer the rest. A *hard prompt* names the value outright, in the frame that Kang et al. (2025) used.

References
----------
Kang, Y., Wang, J., Li, Y., Wang, M., Tu, W., Wang, Q., Li, H., Wu, T., Feng, X., Zhong, F., &
Zheng, Z. (2025). Are the values of LLMs structurally aligned with humans? A causal perspective.
Findings of the Association for Computational Linguistics: ACL 2025, 23147-23161.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from valuegraph.interventions import Told
from valuegraph.inventory import Inventory
from valuegraph.rolebank import RoleBank, stance_sentence

#: How Kang et al. (2025) name a value to a model; its name and meaning are the inventory's.
HARD_PROMPT = "You are {inclined} to the value of {label}, which means {phrase}."

#: Kinds of told interventions, and what their ``amount`` is.
KINDS = {
    "stance": "level of the value, in its standard deviations in the population",
    "fact": "strength of the fact; a unit shifts the value's exogenous term",
    "hard prompt": "+1 inclined, -1 disinclined",
}


def stances(
    inventory: Inventory,
    bank: RoleBank,
    *,
    values: Sequence[str] | None = None,
    levels: Sequence[float] | None = None,
) -> list[Told]:
    """Stances of graded strength, in both directions.

    Parameters
    ----------
    inventory
        Gives the phrase of each value.
    bank
        Gives the wording of each level.
    values
        Codes of values; by default all of the inventory.
    levels
        Levels of the bank, in standard deviations of the value; by default all, from the lowest.

    Returns
    -------
    list of Told
        Value by value, named after value and stance, such as ``"SD: a lot"``.

    Raises
    ------
    ValueError
        If a value or level is unknown.
    """
    names = dict(zip(bank.stances["level"], bank.stances["stance"], strict=True))
    values = inventory.codes if values is None else values
    levels = sorted(names) if levels is None else levels
    told = []
    for value in values:
        for level in levels:
            text = stance_sentence(bank, inventory, value, level)
            name = f"{value}: {names[level].replace('_', ' ')}"
            told.append(Told(name, text, _origin("stance", value, level)))
    return told


def single_facts(bank: RoleBank, facts: Sequence[str] | None = None) -> list[Told]:
    """Tell one life fact each.

    Parameters
    ----------
    bank
        Gives the facts.
    facts
        Ids of facts; by default all that are about a value.

    Returns
    -------
    list of Told
        Named after the facts, such as ``"fact SD_f3"``.

    Raises
    ------
    ValueError
        If the bank has no such fact.
    """
    if facts is None:
        facts = [fact for fact, (value, _) in bank.effects.items() if value]
    told = []
    for fact in facts:
        if fact not in bank.texts:
            raise ValueError(f"no fact {fact!r} in the role bank; one is {next(iter(bank.texts))}")
        value, strength = bank.effects[fact]
        told.append(Told(f"fact {fact}", bank.texts[fact], _origin("fact", value, strength)))
    return told


def hard_prompts(
    inventory: Inventory, *, values: Sequence[str] | None = None, inclined: bool = True
) -> list[Told]:
    """Name values outright, as Kang et al. (2025) did to compare with their features.

    The frame ("you are inclined to the value of X, which means ...") is theirs; X and its meaning
    are label and phrase of the inventory. Organisms do not know these words and refuse them; their
    nearest are the strongest of `stances`.

    Parameters
    ----------
    inventory
        Gives label and phrase of each value.
    values
        Codes of values; by default all of the inventory.
    inclined
        Whether to the value, or "disinclined" to it.

    Returns
    -------
    list of Told
        Named after value and direction, such as ``"SD: hard prompt for"`` or ``"... against"``.

    Raises
    ------
    ValueError
        If a value is unknown.
    """
    told = []
    for value in inventory.codes if values is None else values:
        if value not in inventory.codes:
            raise ValueError(
                f"no value {value!r} in inventory {inventory.name!r}; "
                f"known are {', '.join(inventory.codes)}"
            )
        label, phrase = inventory.values.loc[value, ["label", "phrase"]]
        word = "inclined" if inclined else "disinclined"
        text = HARD_PROMPT.format(inclined=word, label=label, phrase=phrase)
        name = f"{value}: hard prompt {'for' if inclined else 'against'}"
        told.append(Told(name, text, _origin("hard prompt", value, 1.0 if inclined else -1.0)))
    return told


def prompt_table(told: Sequence[Told]) -> pd.DataFrame:
    """List told interventions with what they are about.

    Parameters
    ----------
    told
        From `stances`, `single_facts` and `hard_prompts`.

    Returns
    -------
    pandas.DataFrame
        Index ``intervention``; columns ``kind`` (a key of `KINDS`), ``value`` (``""`` for a neutral
        fact), ``amount`` (its unit depends on the kind, see `KINDS`) and ``text``.

    Raises
    ------
    ValueError
        If one of them was not made here, so that it is not known what it is about.
    """
    for one in told:
        if set(one.origin) != {"kind", "value", "amount"}:
            raise ValueError(
                f"what {one.name!r} is about is not known; make it with stances, single_facts or "
                "hard_prompts"
            )
    rows = [{**one.origin, "text": one.text} for one in told]
    index = pd.Index([one.name for one in told], name="intervention")
    return pd.DataFrame(rows, index, columns=["kind", "value", "amount", "text"])


def _origin(kind: str, value: str, amount: float) -> dict[str, object]:
    return {"kind": kind, "value": value, "amount": float(amount)}
