"""Roles: who answers, as a short text in the second person.

Roles of a bank consist of *facts*, which shift the exogenous term of a value, and of *stances*,
which set a value, ``do(v = level)``, whatever its causes. For an organism, trained on both, this is
exact; for other models it is the hypothesis that a role tests. ``None`` stands for no role.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from valuegraph import tables
from valuegraph.inventory import SCHWARTZ_ORDER, Inventory

#: How tables name the baseline, which has no role (``None`` in a list of roles).
NO_ROLE = "no role"

_PATIENCE = 10_000  # draws in a row that repeat earlier roles until sampling gives up
_GENDERS = ("a woman", "a man", "a nonbinary person")
_TYPES = tuple("".join(letters) for letters in product("EI", "NS", "FT", "JP"))


@dataclass(frozen=True)
class Role:
    """Who a respondent is to be.

    Attributes
    ----------
    name : str
        Names the role's row in answers and scores.
    text : str
        The role in words, as the respondent reads it.
    facts : tuple of str
        Ids of the bank's facts in the text; none for a text of your own.
    stances : tuple of (str, float)
        Value and level of each stance in the text.
    """

    name: str
    text: str
    facts: tuple[str, ...] = ()
    stances: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        stances = tuple((value, float(level)) for value, level in self.stances)
        vars(self).update(facts=tuple(self.facts), stances=stances)
        for what, entry in (("name", self.name), ("text", self.text)):
            if not entry.strip():
                raise ValueError(f"the {what} of a role is {entry!r}; give one, or use no role.")
        for entries in (self.facts, [value for value, _ in self.stances]):
            if len(set(entries)) < len(entries):
                raise ValueError(f"role {self.name!r} has a fact or stance twice: {entries}.")


@dataclass(frozen=True, eq=False, repr=False)
class RoleBank:
    """The sentences that roles are made of.

    Attributes
    ----------
    facts : pandas.DataFrame
        ``fact`` (unique id), ``value`` that it is evidence of (``""``: neutral), ``strength``
        (shift of the value's exogenous term; 0: neutral), ``text`` (one sentence, second person).
    stances : pandas.DataFrame
        ``stance`` (unique id), ``level`` (that a value is set to, in its standard deviations),
        ``template`` (one sentence with ``{phrase}`` in place of the value's phrase).
    """

    facts: pd.DataFrame
    stances: pd.DataFrame

    @cached_property
    def texts(self) -> dict[str, str]:
        """Text of each fact, by id."""
        return dict(zip(self.facts["fact"], self.facts["text"], strict=True))

    @cached_property
    def effects(self) -> dict[str, tuple[str, float]]:
        """Value and strength of each fact, by id; ``("", 0.0)`` for a neutral one."""
        pairs = zip(self.facts["value"], self.facts["strength"].astype(float), strict=True)
        return dict(zip(self.facts["fact"], pairs, strict=True))

    @cached_property
    def facts_by_value(self) -> dict[str, tuple[str, ...]]:
        """Ids of each value's facts, in order; neutral ones under ``""``."""
        by_value = self.facts.groupby("value", sort=False)["fact"]
        return {value: tuple(facts) for value, facts in by_value}

    def __repr__(self) -> str:
        neutral = len(self.facts_by_value.get("", ()))
        return f"RoleBank({len(self.facts)} facts, {neutral} neutral, {len(self.stances)} stances)"


def load_role_bank() -> RoleBank:
    """Load the bank of the package.

    For each of Schwartz's ten values 8 facts of strengths -2 to 2, 48 neutral facts, and stances at
    the levels -2, -1.2, -.5, .5, 1.2 and 2.
    """
    return RoleBank(*map(tables.read_packaged_table, ("life_facts.csv", "stances.csv")))


def make_role(name: str, *, bank: RoleBank, facts=(), stances=(), inventory=None) -> Role:
    """Compose a role: the facts, then the stances, one space between sentences.

    Parameters
    ----------
    name : str
        Name of the role.
    bank : RoleBank
        Where the sentences come from.
    facts : sequence of str
        Ids of facts.
    stances : sequence of (str, float)
        Codes of values, and levels of the bank.
    inventory : Inventory, optional
        Gives the values' phrases; needed for stances only.
    """
    if stances and inventory is None:
        raise ValueError(f"role {name!r} has stances; pass inventory=... for the values' phrases.")
    sentences = [bank.texts[known(fact, bank.texts)] for fact in facts]
    sentences += [stance_sentence(bank, inventory, value, level) for value, level in stances]
    return Role(name, " ".join(sentences), tuple(facts), tuple(stances))


def stance_sentence(bank: RoleBank, inventory: Inventory, value: str, level: float) -> str:
    """Say how much a person cares about a value, at one of the bank's levels.

    Parameters
    ----------
    bank, inventory
        Give the wording of the level and the phrase of the value.
    value : str
        Code of the value.
    level : float
        One of ``bank.stances["level"]``, in standard deviations of the value.
    """
    templates = dict(zip(bank.stances["level"], bank.stances["template"], strict=True))
    phrase = inventory.values["phrase"].get(known(value, inventory.codes))
    return templates[known(level, templates)].replace("{phrase}", phrase)


def sample_roles(bank: RoleBank, n: int, *, seed: int, p_fact=0.8, max_neutral=2) -> list[Role]:
    """Draw different roles at random, named ``role{seed}-0000`` and so on.

    Parameters
    ----------
    bank : RoleBank
        Where the facts come from.
    n : int
        Number of roles.
    seed : int
        Same seed, same roles; the first ones stay the same when `n` grows.
    p_fact : float
        Probability that a role has a fact on a certain value, drawn uniformly from the bank's.
    max_neutral : int
        0 to so many neutral facts are added, each number being equally likely; a role without any
        fact gets one. All sentences are then shuffled.
    """
    choices = [facts for value, facts in bank.facts_by_value.items() if value != ""]
    neutral = bank.facts_by_value.get("", ())
    tables.require_whole(n, 1, "n", most=1_000_000)
    tables.require(0 <= p_fact <= 1, f"p_fact is {p_fact!r}; a probability in [0, 1] is needed.")
    if max_neutral not in range(len(neutral) + 1) or (p_fact < 1 and not neutral):
        raise ValueError(f"max_neutral {max_neutral!r} does not fit {len(neutral)} neutral facts.")
    sizes = np.array([len(facts) for facts in choices], dtype=int)
    rng = tables.generator(seed)
    drawn: dict[tuple[str, ...], None] = {}
    repeats = 0
    while len(drawn) < n:
        has_fact, picks = rng.random(len(choices)) < p_fact, rng.integers(sizes)
        facts = [choices[k][picks[k]] for k in np.flatnonzero(has_fact)]
        if count := rng.integers(max_neutral + 1) or int(not facts):
            facts += [neutral[j] for j in rng.choice(len(neutral), size=count, replace=False)]
        facts = tuple(facts[j] for j in rng.permutation(len(facts)))
        repeats = repeats + 1 if facts in drawn else 0
        if repeats > _PATIENCE:
            raise ValueError(f"only {len(drawn)} of {n} different roles could be drawn; lower n.")
        drawn[facts] = None
    return [make_role(f"role{seed}-{i:04d}", bank=bank, facts=f) for i, f in enumerate(drawn)]


def sample_personas(n: int, *, seed: int) -> list[Role]:
    """Draw different roles of gender, job and personality type, as Kang et al. (2025) use them.

    Parameters
    ----------
    n : int
        Number of personas, at most 4416. Lists and wording are ours; no organism knows them.
    seed : int
        Same seed, same personas; the first ones stay the same when `n` grows.
    """
    tables.require_whole(n, 1, "n")
    text = "You are {} who works as {}. Your personality type is {}."
    jobs = tables.read_packaged_table("jobs.csv")["job"]
    if n > len(texts := [text.format(*who) for who in product(_GENDERS, jobs, _TYPES)]):
        raise ValueError(f"n is {n}, but there are only {len(texts)} different personas.")
    order = tables.generator(seed).permutation(len(texts))[:n]  # begins alike for any n
    return [Role(f"persona{seed}-{i:04d}", texts[j]) for i, j in enumerate(order)]


def read_roles(path: str | Path) -> list[Role]:
    """Read roles of your own from a CSV file with the columns ``name`` and ``text``, one a row."""
    table = tables.read_own_table(path, ["name", "text"])
    for column in table:
        tables.require_unique(table[column], f"{str(path)!r}: {column}")
    if NO_ROLE in set(table["name"]):
        raise ValueError(f"{str(path)!r}: {NO_ROLE!r} names the baseline; use another name.")
    return [Role(*row) for row in table[["name", "text"]].itertuples(index=False)]


def split_roles(roles: Sequence[Role], *, test: int, seed: int) -> tuple[list[Role], list[Role]]:
    """Divide roles at random into two lists that share no text.

    Parameters
    ----------
    roles : sequence of Role
        Roles with different texts, without the baseline.
    test : int
        Number of roles in the second list.
    seed : int
        Same seed, same lists.

    Returns
    -------
    train, test : list of Role
        Roles in their former order.
    """
    tables.require_whole(test, 1, "test")
    if test >= len(roles) or None in roles:
        raise ValueError(f"test is {test} of {len(roles)} roles; leave some, and None out of both.")
    tables.require_unique(pd.Series([role.text for role in roles], dtype=str), "role text")
    chosen = set(tables.generator(seed).permutation(len(roles))[:test].tolist())
    train = [role for i, role in enumerate(roles) if i not in chosen]
    return train, [roles[i] for i in sorted(chosen)]


def role_shifts(roles, bank: RoleBank, values: Sequence[str] = SCHWARTZ_ORDER) -> pd.DataFrame:
    """Sum up by how much the facts of roles shift the exogenous term of each value.

    Parameters
    ----------
    roles : sequence of Role or None
        Roles of the bank; stances, which set a value, do not count.
    bank : RoleBank
        Gives value and strength of each fact.
    values : sequence of str
        Order of the columns.

    Returns
    -------
    pandas.DataFrame
        Roles by values, in the unit of the bank's strengths.
    """
    names = pd.Series([NO_ROLE if role is None else role.name for role in roles], dtype=str)
    tables.require_unique(names, "role")
    shifts = np.zeros((len(roles), len(values)))
    for name, role, row in zip(names, roles, shifts, strict=True):
        if role is not None and not role.facts and not role.stances:
            raise ValueError(f"role {name!r} is not of a bank, so what it shifts is not known.")
        for fact in () if role is None else role.facts:
            value, strength = bank.effects[known(fact, bank.effects)]
            if value != "":
                row[list(values).index(known(value, values))] += strength
    return pd.DataFrame(shifts, pd.Index(names, name="role"), pd.Index(values, name="value"))


def sentence_table(roles: Sequence[Role], bank: RoleBank) -> pd.DataFrame:
    """Lay out which role holds which fact of a bank, for searches that ask what sentences do.

    Parameters
    ----------
    roles : sequence of Role
        Roles of the bank; stances, which set a value, do not count.
    bank : RoleBank
        Tells what value a fact is about.

    Returns
    -------
    pandas.DataFrame
        Roles by facts, 0 or 1. Columns have two levels: ``kind``, the value that the fact is about
        (``""``: neutral), and ``sentence``, its id.
    """
    pairs = [(bank.effects[fact][0], fact) for fact in bank.texts]
    columns = pd.MultiIndex.from_tuples(pairs, names=["kind", "sentence"])
    for role in roles:
        for fact in () if role is None else role.facts:
            known(fact, bank.texts)
    held = [[int(role is not None and fact in role.facts) for _, fact in pairs] for role in roles]
    names = [NO_ROLE if role is None else role.name for role in roles]
    return pd.DataFrame(held, pd.Index(names, name="role"), columns)


def neutral_texts(bank: RoleBank, n: int = 1, sentences: int = 16) -> tuple[str, ...]:
    """Make `n` texts of so many neutral facts each, none used twice; organisms know them, too."""
    facts = bank.facts_by_value.get("", ())
    if n < 1 or sentences < 1 or n * sentences > len(facts):
        raise ValueError(f"{len(facts)} neutral facts do not make {n} texts of {sentences}.")
    parts = [facts[i * sentences : (i + 1) * sentences] for i in range(n)]
    return tuple(" ".join(bank.texts[fact] for fact in part) for part in parts)


def known(entry, entries: Iterable):
    """Return an entry that is known, or say which are near.

    Parameters
    ----------
    entry : str or float
        Id of a fact, code of a value, or level of a stance.
    entries : iterable
        All that there are.
    """
    if entry not in entries:
        near = ", ".join(get_close_matches(str(entry), list(map(str, entries)), cutoff=0.0))
        raise ValueError(f"unknown fact, value or level {entry!r}; near are {near}.")
    return entry
