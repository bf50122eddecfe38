"""The sentences that roles are made of: life facts and stances.

A *fact* is evidence about one value (or none): it shifts the exogenous term ``u_k`` of its value by
its strength, whose unit is up to the respondent (0.8 standard deviations of ``u_k`` for the
organisms); what follows for other values is left to whoever reads it. A *stance* says what a value
*is*, ``do(v_k = level)`` in standard deviations of ``v_k`` in the population, whatever the facts
suggest.

For a model organism both statements are exact, since it was trained on them; for other models they
are the hypothesis that a role prompt tests.
"""

from dataclasses import dataclass
from functools import cached_property
from math import comb, factorial
from numbers import Real

import numpy as np
import pandas as pd

from valuegraph.inventory import Inventory
from valuegraph.splitting import is_whole, require_whole
from valuegraph.tables import read_packaged_table, require_columns, require_text, require_unique

FACT_COLUMNS = ("fact", "value", "strength", "text")
STANCE_COLUMNS = ("stance", "level", "template")

# name -> (table of facts, table of stances), files in the package's data folder
_ROLE_BANKS = {"life_facts": ("life_facts.csv", "stances.csv")}

# Draws in a row that may repeat roles already drawn before sampling gives up.
_PATIENCE = 10_000


@dataclass(frozen=True, eq=False, repr=False)
class RoleBank:
    """The sentences that roles are made of.

    Attributes
    ----------
    facts : pandas.DataFrame
        One row per life fact. Columns: ``fact`` (unique id such as ``"SD_f1"``), ``value`` (code of
        the value it is evidence of, ``""`` for a neutral fact), ``strength`` (how far it
        shifts the exogenous term of that value, 0 for a neutral fact), ``text`` (one sentence in
        the second person).
    stances : pandas.DataFrame
        One row per graded stance. Columns: ``stance`` (unique id), ``level`` (what the value is set
        to, in its standard deviations), ``template`` (one sentence with ``{phrase}`` where the
        value's phrase goes).

    Raises
    ------
    ValueError
        If a table is empty or lacks a column, an id, text or level appears twice, a text is blank,
        a strength or level is not a finite number, a neutral fact has a strength, a fact about a
        value has none, or a template lacks ``{phrase}``.
    """

    facts: pd.DataFrame
    stances: pd.DataFrame

    def __post_init__(self) -> None:
        """Copy the tables, so that the originals may change, and validate them."""
        object.__setattr__(self, "facts", self.facts.reset_index(drop=True).copy())
        object.__setattr__(self, "stances", self.stances.reset_index(drop=True).copy())
        require_columns(self.facts, FACT_COLUMNS, "role bank, facts")
        require_columns(self.stances, STANCE_COLUMNS, "role bank, stances")
        for table, name, text in (
            (self.facts, "fact", "text"),
            (self.stances, "stance", "template"),
        ):
            require_text(table[name], f"role bank: {name} id")
            require_unique(table[name], f"role bank: {name} id")
            require_text(table[text], f"role bank: {text} of {name}", ids=table[name])
            require_unique(table[text], f"role bank: {text}")
        for fact, value, strength in zip(*(self.facts[c] for c in FACT_COLUMNS[:3]), strict=True):
            _require_finite(strength, f"role bank: strength of fact {fact!r}")
            if not isinstance(value, str):
                raise ValueError(
                    f"role bank: fact {fact!r} has value {value!r}; "
                    "use a value's code, or '' for a neutral fact."
                )
            if (value == "") != (strength == 0):
                raise ValueError(
                    f"role bank: fact {fact!r} has value {value!r} and strength {strength!r}; "
                    "a neutral fact has value '' and strength 0, any other fact has both."
                )
        for stance, level, template in zip(*(self.stances[c] for c in STANCE_COLUMNS), strict=True):
            _require_finite(level, f"role bank: level of stance {stance!r}")
            if "{phrase}" not in template:
                raise ValueError(
                    f"role bank: template {template!r} of stance {stance!r} lacks '{{phrase}}'."
                )
        twice = self.stances["level"][self.stances["level"].duplicated()]
        if len(twice):
            raise ValueError(
                f"role bank: two stances have the level {twice.iloc[0]}; each must be unique."
            )

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
        """Ids of each value's facts, in the order of the table; neutral ones stand under ``""``."""
        by_value: dict[str, list[str]] = {}
        for fact, value in zip(self.facts["fact"], self.facts["value"], strict=True):
            by_value.setdefault(value, []).append(fact)
        return {value: tuple(facts) for value, facts in by_value.items()}

    def __repr__(self) -> str:
        """Tell the size in one line."""
        neutral = len(self.facts_by_value.get("", ()))
        values = len(set(self.facts_by_value) - {""})
        return (
            f"RoleBank({len(self.facts) - neutral} facts on {values} values, "
            f"{neutral} neutral facts, {len(self.stances)} stances)"
        )


def load_role_bank(name: str = "life_facts") -> RoleBank:
    """Load a role bank that comes with the package.

    Parameters
    ----------
    name : str
        ``"life_facts"``: 8 facts for each of Schwartz's ten values with strengths -2, -1.5, -1,
        -.5, .5, 1, 1.5 and 2, 48 neutral facts, and stances at the levels -2, -1.2, -.5, .5, 1.2
        and 2.

    Returns
    -------
    RoleBank
        A fresh copy; banks of your own are made with :class:`RoleBank` directly.

    Raises
    ------
    ValueError
        If no role bank of that name comes with the package.
    """
    if name not in _ROLE_BANKS:
        raise ValueError(
            f"no role bank is called {name!r}; known are {', '.join(map(repr, _ROLE_BANKS))}. "
            "Make your own with RoleBank(facts, stances)."
        )
    facts_file, stances_file = _ROLE_BANKS[name]
    return RoleBank(
        facts=read_packaged_table(facts_file), stances=read_packaged_table(stances_file)
    )


def sample_facts(
    bank: RoleBank, n: int, *, seed: int, p_fact: float, max_neutral: int
) -> list[tuple[str, ...]]:
    """Draw facts for roles, no two of which tell the same in the same order.

    Parameters
    ----------
    bank, n, seed, p_fact, max_neutral
        As for :func:`valuegraph.roles.sample_roles`, which says how they are drawn.

    Returns
    -------
    list of tuple of str
        Ids of each role's facts, in the order in which they are told.

    Raises
    ------
    ValueError
        As from :func:`valuegraph.roles.sample_roles`.
    """
    neutral = bank.facts_by_value.get("", ())
    require_whole(n, 1, "n is")
    require_whole(seed, 0, "seed is")
    if not isinstance(p_fact, Real) or not 0 <= p_fact <= 1:
        raise ValueError(f"p_fact is {p_fact!r}; a probability in [0, 1] is needed.")
    if not is_whole(max_neutral) or not 0 <= max_neutral <= len(neutral):
        raise ValueError(
            f"max_neutral is {max_neutral!r}; the bank allows 0 to {len(neutral)} neutral facts."
        )
    choices = [facts for value, facts in bank.facts_by_value.items() if value != ""]
    sizes = np.array([len(facts) for facts in choices], dtype=int)
    possible = _count_tellings(sizes.tolist(), len(neutral), p_fact, max_neutral)
    if n > possible and (neutral or p_fact == 1):
        raise ValueError(
            f"n is {n}, but with p_fact {p_fact} and max_neutral {max_neutral} this bank makes "
            f"only {possible} different roles; ask for fewer, or raise max_neutral."
        )
    rng = np.random.default_rng(seed)
    drawn: dict[tuple[str, ...], None] = {}
    repeats = 0
    while len(drawn) < n:
        told = rng.random(len(choices)) < p_fact
        picks = rng.integers(sizes)
        facts = [choices[k][picks[k]] for k in np.flatnonzero(told)]
        count = rng.integers(max_neutral + 1)
        if not facts and count == 0:
            if not neutral:
                raise ValueError(
                    f"role {len(drawn)} of seed {seed} has no fact at p_fact {p_fact}, and the "
                    "bank has no neutral ones; raise p_fact or add neutral facts."
                )
            count = 1
        if count:
            facts += [neutral[j] for j in rng.choice(len(neutral), size=count, replace=False)]
        facts = tuple(facts[j] for j in rng.permutation(len(facts)))
        repeats = repeats + 1 if facts in drawn else 0
        if repeats > _PATIENCE:
            raise ValueError(
                f"seed {seed} gave no new role in {_PATIENCE} draws after {len(drawn)} of {n}; of "
                f"the {possible} possible ones the rest are too rare at p_fact {p_fact}. Ask for "
                "fewer roles, or choose a p_fact nearer to 0.5."
            )
        drawn[facts] = None
    return list(drawn)


def _count_tellings(sizes: list[int], neutral: int, p_fact: float, max_neutral: int) -> int:
    """Count what a role can tell: choices of facts, times the orders in which they can stand."""
    ways = [1]  # ways[k]: choices of k facts about values
    for size in sizes:
        silent, told = int(p_fact < 1), size * int(p_fact > 0)
        shifted = [0, *ways]
        ways = [silent * a + told * b for a, b in zip([*ways, 0], shifted, strict=True)]
    total = 0
    for k, chosen in enumerate(ways):
        for count in range(max_neutral + 1):
            if k + count == 0:  # a role without text gets one neutral fact
                total += chosen * neutral * int(max_neutral == 0)
            else:
                total += chosen * comb(neutral, count) * factorial(k + count)
    return total


def stance_sentence(bank: RoleBank, inventory: Inventory, value: str, level: float) -> str:
    """Say what a person thinks of a value, at one of the bank's levels.

    Parameters
    ----------
    bank : RoleBank
        Gives the wording of each level.
    inventory : Inventory
        Gives the phrase of each value.
    value : str
        Code of the value.
    level : float
        One of ``bank.stances["level"]``, exactly; in standard deviations of the value in the
        population.

    Returns
    -------
    str
        One sentence, for instance "You care a lot about choosing freely."

    Raises
    ------
    ValueError
        If the inventory has no such value or the bank no stance at that level.
    """
    if value not in inventory.codes:
        raise ValueError(
            f"no value {value!r} in inventory {inventory.name!r}; "
            f"known are {', '.join(inventory.codes)}."
        )
    templates = dict(zip(bank.stances["level"], bank.stances["template"], strict=True))
    if level not in templates:
        known = ", ".join(f"{x:g}" for x in sorted(templates))
        raise ValueError(f"no stance has the level {level!r}; choose one of {known}.")
    return templates[level].replace("{phrase}", inventory.values.loc[value, "phrase"])


def _require_finite(number, what: str) -> None:
    """Refuse what is not a finite real number."""
    if not isinstance(number, Real) or not np.isfinite(number):
        raise ValueError(f"{what} is {number!r}; a finite number is needed.")
