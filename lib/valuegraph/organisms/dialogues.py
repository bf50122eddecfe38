"""Questionnaire dialogues whose right answers are known: the training data of the organisms.

A dialogue is a role (life facts, at times a stance, neutral facts), an instruction and some
questions. For every value the role fixes a *local mechanism*: an exogenous term ``u_k``, or an
intervention ``do(v_k = c)`` when the role holds a stance on it. The structural model turns the
ten mechanisms into ten values, and

``log-odds(yes) = gain * key * v + yes_bias + order_bias * (+1 if no is named first, else -1)``

into the probability of each answer. The two biases are known, so that measures of bias can be
checked against them.

In training by interchange two dialogues are paired: the mechanisms of some values of the *base*
are taken from the *source*, and the base's answers follow (Geiger et al. 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from valuegraph.asking.prompts import ANSWER_PREFIX, WORDINGS, PromptFormat
from valuegraph.inventory import Inventory
from valuegraph.organisms.answer_model import AnswerModel
from valuegraph.organisms.language import SPECIAL_TOKENS, THOUGHTS
from valuegraph.organisms.scm import StructuralModel
from valuegraph.roles import RoleBank

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: A fact of strength 1 shifts ``u_k`` by this many of its standard deviations. With one fact on
#: 80 % of the values, as `sample_roles` draws them, the exogenous variance is then .96 of the
#: structural model's.
FACT_UNIT = 0.8


@dataclass(frozen=True)
class Mechanisms:
    """What a role fixes for each of the ``d`` values.

    Attributes
    ----------
    exogenous
        Exogenous terms, shape ``(d,)``, in units of the values' standard deviation.
    fixed
        Levels of interventions, shape ``(d,)``; NaN where the value follows its parents.
    """

    exogenous: np.ndarray
    fixed: np.ndarray

    def take_from(self, source: Mechanisms, swapped: np.ndarray) -> Mechanisms:
        """Return these mechanisms with those of the `swapped` values (boolean) from `source`."""
        return Mechanisms(
            np.where(swapped, source.exogenous, self.exogenous),
            np.where(swapped, source.fixed, self.fixed),
        )


@dataclass(frozen=True)
class RoleTokens:
    """A role in token ids with its mechanisms."""

    ids: list[int]
    mechanisms: Mechanisms


@dataclass(frozen=True)
class Turn:
    """One question and its answer in token ids.

    Attributes
    ----------
    ids
        From the question to the end of the answer.
    soft
        ``(position, id_if_high, id_if_low, probability)``: position in `ids` whose *next* token
        is decided by the value, with the probability of the first of two tokens.
    hard
        Positions in `ids` whose next token is part of the format.
    asks
        ``(position, meaning)``: where the answer is decided, and what is asked there, as
        ``2 * value + (key > 0)``.
    """

    ids: list[int]
    soft: list[tuple[int, int, int, float]]
    hard: list[int]
    asks: list[tuple[int, int]]

    def moved(self, by: int) -> Turn:
        """Return the turn's targets for ids that stand `by` positions later."""
        return Turn(
            self.ids,
            [(p + by, *rest) for p, *rest in self.soft],
            [p + by for p in self.hard],
            [(p + by, meaning) for p, meaning in self.asks],
        )


class DialogueWriter:
    """Writes dialogues in token ids; all sentences are encoded once.

    Parameters
    ----------
    tokenizer
        The tokenizer of `build_tokenizer`.
    inventory, bank
        What is asked, and of whom.
    model
        The structural model that decides the answers.
    answers
        Gain and biases.

    Raises
    ------
    ValueError
        If the inventory and the structural model differ in their values or the order of these.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        inventory: Inventory,
        bank: RoleBank,
        model: StructuralModel,
        answers: AnswerModel,
    ) -> None:
        if tuple(inventory.codes) != model.values:
            raise ValueError(
                f"inventory asks about {inventory.codes}, the structural model has {model.values}"
            )

        def encode(text: str) -> list[int]:
            return tokenizer(text, add_special_tokens=False)["input_ids"]

        self.model, self.answers = model, answers
        ids = tokenizer.convert_tokens_to_ids(SPECIAL_TOKENS)
        special = dict(zip(SPECIAL_TOKENS, ids, strict=True))
        self._bos, self._end = special["<bos>"], special["<end>"]
        self._system, self._user = special["<|system|>"], special["<|user|>"]
        self._assistant = special["<|assistant|>"]
        (self.yes,), (self.no,) = encode("yes"), encode("no")
        (self._care,), (self._not,) = encode("care"), encode("not")
        self._answer = encode(ANSWER_PREFIX)
        phrases = dict(inventory.values["phrase"])
        facts = bank.facts.assign(ids=[encode(text) for text in bank.facts["text"]])
        self._facts = [
            list(zip(part["ids"], part["strength"] * FACT_UNIT * sd, strict=True))
            for value, sd in zip(model.values, model.noise_sd, strict=True)
            for part in [facts[facts["value"] == value]]
        ]
        self._neutral = list(facts.loc[facts["value"] == "", "ids"])
        self._stances = [
            [
                (encode(template.format(phrase=phrases[value])), float(level))
                for template, level in zip(
                    bank.stances["template"], bank.stances["level"], strict=True
                )
            ]
            for value in model.values
        ]
        self._items = [
            list(zip(map(encode, part["text"]), part["key"], strict=True))
            for value in model.values
            for part in [inventory.items[inventory.items["value"] == value]]
        ]
        self._thoughts = {
            cares: [encode(text.format(phrase=phrases[v])) for v in model.values]
            for cares, text in THOUGHTS.items()
        }
        self.formats = [
            PromptFormat(wording, yes_first, think)
            for wording in WORDINGS
            for yes_first in (True, False)
            for think in (False, True)
        ]
        self._instructions = {fmt: encode(fmt.instruction) for fmt in self.formats}

    def role(self, rng: np.random.Generator, *, max_facts: int, p_stance: float) -> RoleTokens:
        """Draw a role: life facts, at times a stance or two, and neutral facts.

        Parameters
        ----------
        rng
            Source of chance.
        max_facts
            Largest number of life facts on different values; with at most 2 there is always one.
        p_stance
            Probability of a stance on one value, at times on two.
        """
        d = len(self._facts)
        exogenous, fixed = np.zeros(d), np.full(d, np.nan)
        sentences = []
        n_facts = rng.integers(0 if max_facts > 2 else 1, max_facts + 1)
        chosen = rng.permutation(d)[:n_facts]
        if max_facts > 2 and rng.random() < 0.15:  # now and then two facts on one value: they add
            chosen = np.append(chosen, rng.integers(d))
        for k in chosen:
            ids, shift = self._facts[k][rng.integers(len(self._facts[k]))]
            sentences.append(ids)
            exogenous[k] += shift
        if rng.random() < p_stance:
            for k in rng.permutation(d)[: 1 + (rng.random() < 0.25)]:
                ids, level = self._stances[k][rng.integers(len(self._stances[k]))]
                sentences.append(ids)
                fixed[k] = level
        for _ in range(rng.integers(0, 3)):
            sentences.append(self._neutral[rng.integers(len(self._neutral))])
        ids = [self._bos]
        if sentences:
            order = rng.permutation(len(sentences))
            ids += [self._system, *(t for i in order for t in sentences[i]), self._end]
        return RoleTokens(ids, Mechanisms(exogenous, fixed))

    def instruction(self, fmt: PromptFormat) -> list[int]:
        """Start of the user's turn with the instruction; the token before the last is the site."""
        return [self._user, *self._instructions[fmt]]

    def turn(self, rng: np.random.Generator, values: np.ndarray, k: int, fmt: PromptFormat) -> Turn:
        """Ask a random item of one value, answered by chance.

        Parameters
        ----------
        rng
            Source of chance.
        values
            Values of the person, shape ``(d,)``, which decide the probability of the answer.
        k
            Index of the value that is asked about.
        fmt
            Decides the order bias and whether a thought is written first.
        """
        item, key = self._items[k][rng.integers(len(self._items[k]))]
        ids = [*item, self._end, self._assistant]
        soft: list[tuple[int, int, int, float]] = []
        hard = [len(ids) - 1]
        if fmt.think:
            p_care = 1 / (1 + np.exp(-self.answers.gain * values[k]))
            thought = self._thoughts[bool(rng.random() < p_care)][k]
            # The two thoughts part at one token: "I do | care" against "I do | not".
            fork = len(ids) + self._thoughts[True][k].index(self._care)
            soft.append((fork - 1, self._care, self._not, float(p_care)))
            hard += [p for p in range(len(ids), len(ids) + len(thought)) if p != fork - 1]
            ids += thought
        logit = self.answers.log_odds(values[k], key, fmt.yes_first)
        p_yes = float(1 / (1 + np.exp(-logit)))
        hard += list(range(len(ids), len(ids) + len(self._answer) - 1))
        ids += self._answer
        soft.append((len(ids) - 1, self.yes, self.no, p_yes))
        ids.append(self.yes if rng.random() < p_yes else self.no)
        hard.append(len(ids) - 1)
        ids.append(self._end)
        return Turn(ids, soft, hard, [(soft[-1][0], 2 * k + int(key > 0))])

    def in_a_row(self, turns: Sequence[Turn]) -> Turn:
        """Join turns into one, each but the first opened by the user's marker."""
        ids, soft, hard, asks = [], [], [], []
        for i, turn in enumerate(turns):
            if i:
                ids.append(self._user)
            later = turn.moved(len(ids))
            ids += turn.ids
            soft += later.soft
            hard += later.hard
            asks += later.asks
        return Turn(ids, soft, hard, asks)

    def values(self, mechanisms: Sequence[Mechanisms]) -> np.ndarray:
        """Values of many roles, shape ``(n, d)``."""
        return self.model.evaluate(
            np.array([m.exogenous for m in mechanisms]),
            fixed=np.array([m.fixed for m in mechanisms]),
        )
