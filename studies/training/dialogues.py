"""Questionnaire dialogues whose right answers are known: the training data of the organisms.

For every value a role fixes a *local mechanism*: an exogenous term ``u_k``, or an intervention
``do(v_k = c)`` when it holds a stance. The structural model turns mechanisms into values, and these
into the probability of each answer. In training by interchange the mechanisms of some values of a
*base* are taken from a *source*, and the base's answers follow (Geiger et al. 2022).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product, starmap

import numpy as np
import pandas as pd

from studies.training.language import SPECIAL_TOKENS, THOUGHTS
from valuegraph.inventory import Inventory
from valuegraph.organisms import FACT_UNIT, Organism
from valuegraph.prompts import ANSWER_PREFIX, WORDINGS, PromptFormat
from valuegraph.roles import RoleBank


@dataclass(frozen=True)
class Turn:
    """One question and its answer, or several in a row; positions are those in `ids`."""

    ids: list[int]  # from the question to the end of the answer
    # (position, id_if_high, id_if_low, probability): the *next* token is decided by the value, with
    # the probability of the first of two tokens.
    soft: list[tuple[int, int, int, float]]
    hard: list[tuple[int]]  # (position,) whose next token is part of the format
    items: list[tuple[int, int]]  # (position, 2 * value + (key > 0)): where an answer is decided


class DialogueWriter:
    """Writes dialogues in ids of `build_tokenizer`, answered as the truth of an organism says."""

    def __init__(self, tokenizer, inventory: Inventory, bank: RoleBank, organism: Organism) -> None:
        model = organism.truth
        if inventory.codes != model.values:
            raise ValueError(
                f"inventory asks about {inventory.codes}, the structural model has {model.values}"
            )

        def encode(text: str) -> list[int]:
            return tokenizer(text, add_special_tokens=False)["input_ids"]

        self.organism = organism
        special = tokenizer.convert_tokens_to_ids(SPECIAL_TOKENS)
        self._bos, self._end, self._system, self._user, self._assistant = special[2:]
        (self.yes,), (self.no,) = encode("yes"), encode("no")
        (self._care,), (self._not,) = encode("care"), encode("not")
        self._answer = encode(ANSWER_PREFIX)
        facts, items, stances = bank.facts, inventory.items, bank.stances
        self._neutral = [encode(text) for text in facts.loc[facts["value"] == "", "text"]]
        self._facts, self._items, self._stances = [], [], []
        self._thoughts = {True: [], False: []}
        for value, sd in zip(model.values, model.noise_sd, strict=True):
            phrase = inventory.values.loc[value, "phrase"]
            own = facts[facts["value"] == value]
            shifts = np.outer(own["strength"] * FACT_UNIT * sd, np.array(model.values) == value)
            if model.facts:
                shifts = pd.DataFrame(model.facts).T.loc[own["fact"], list(model.values)].to_numpy()
            self._facts.append(list(zip(map(encode, own["text"]), shifts, strict=True)))
            own = items[items["value"] == value]
            self._items.append(list(zip(map(encode, own["text"]), own["key"], strict=True)))
            sentences = [encode(text.format(phrase=phrase)) for text in stances["template"]]
            self._stances.append(list(zip(sentences, stances["level"].astype(float), strict=True)))
            for cares, text in THOUGHTS.items():
                self._thoughts[cares].append(encode(text.format(phrase=phrase)))
        self.formats = list(starmap(PromptFormat, product(WORDINGS, (True, False), (False, True))))
        #: Start of the user's turn by format; the token before the last is the site.
        self.instructions = {fmt: [self._user, *encode(fmt.instruction)] for fmt in self.formats}

    def role(
        self, rng: np.random.Generator, *, max_facts: int, p_stance: float
    ) -> tuple[list[int], np.ndarray]:
        """Draw a role: life facts, at times a stance or two, and neutral facts.

        With at most two life facts there is always one. Returns the role in token ids, and the
        mechanisms that it fixes, shape ``(2, d)``: exogenous terms in standard deviations of the
        values, and levels of interventions, NaN where a value follows its parents.
        """
        d = len(self._facts)
        exogenous, fixed = np.zeros(d), np.full(d, np.nan)
        sentences = []
        n_facts = rng.integers(0 if max_facts > 2 else 1, max_facts + 1)
        chosen = rng.permutation(d)[:n_facts]
        if max_facts > 2 and rng.random() < 0.15:  # now and then two facts on one value: they add
            chosen = np.append(chosen, rng.integers(d))
        for k in chosen:
            ids, shifts = self._facts[k][rng.integers(len(self._facts[k]))]
            sentences.append(ids)
            exogenous += shifts
        if rng.random() < p_stance:
            for k in rng.permutation(d)[: 1 + (rng.random() < 0.25)]:
                ids, fixed[k] = self._stances[k][rng.integers(len(self._stances[k]))]
                sentences.append(ids)
        for _ in range(rng.integers(0, 3)):
            sentences.append(self._neutral[rng.integers(len(self._neutral))])
        ids = [self._bos]
        if sentences:
            order = rng.permutation(len(sentences))
            ids += [self._system, *(t for i in order for t in sentences[i]), self._end]
        return ids, np.stack([exogenous, fixed])

    def turn(self, rng: np.random.Generator, values: np.ndarray, k: int, fmt: PromptFormat) -> Turn:
        """Ask a person with some values, shape ``(d,)``, an item of value `k`; draw the answer."""
        item, key = self._items[k][rng.integers(len(self._items[k]))]
        ids = [*item, self._end, self._assistant]
        soft: list[tuple[int, int, int, float]] = []
        hard = [len(ids) - 1]
        if fmt.think:
            p_care = 1 / (1 + np.exp(-self.organism.gain * values[k]))
            thought = self._thoughts[bool(rng.random() < p_care)][k]
            # The two thoughts part at one token: "I do | care" against "I do | not".
            fork = len(ids) + self._thoughts[True][k].index(self._care)
            soft.append((fork - 1, self._care, self._not, float(p_care)))
            hard += [p for p in range(len(ids), len(ids) + len(thought)) if p != fork - 1]
            ids += thought
        logit = self.organism.log_odds(values[k], key, fmt.yes_first)
        p_yes = float(1 / (1 + np.exp(-logit)))
        hard += list(range(len(ids), len(ids) + len(self._answer) - 1))
        ids += self._answer
        soft.append((len(ids) - 1, self.yes, self.no, p_yes))
        ids.append(self.yes if rng.random() < p_yes else self.no)
        hard.append(len(ids) - 1)
        ids.append(self._end)
        return Turn(ids, soft, [(p,) for p in hard], [(soft[-1][0], 2 * k + int(key > 0))])

    def in_a_row(self, turns: Sequence[Turn]) -> Turn:
        """Join turns into one, each but the first opened by the user's marker."""
        joined = Turn([], [], [], [])
        for i, turn in enumerate(turns):
            if i:
                joined.ids.append(self._user)
            by = len(joined.ids)
            joined.ids.extend(turn.ids)
            for name in ("soft", "hard", "items"):
                moved = [(p + by, *rest) for p, *rest in getattr(turn, name)]
                getattr(joined, name).extend(moved)
        return joined

    def values(self, mechanisms: np.ndarray) -> np.ndarray:
        """Values of roles, shape ``(n, d)``, from their mechanisms, shape ``(n, 2, d)``."""
        return self.organism.truth.evaluate(mechanisms[:, 0], fixed=mechanisms[:, 1])
