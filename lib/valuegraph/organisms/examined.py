"""An organism together with the truth about it: what every check needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from valuegraph.inventory import Inventory, load_inventory
from valuegraph.models import Respondent
from valuegraph.organisms.answer_model import AnswerModel
from valuegraph.organisms.dialogues import FACT_UNIT
from valuegraph.organisms.scm import StructuralModel
from valuegraph.roles import Role, RoleBank, load_role_bank, role_shifts


@dataclass(frozen=True)
class Examined:
    """An organism with the truth about it.

    Attributes
    ----------
    respondent
        The model.
    truth
        The structural model that it was trained on.
    answers
        Gain and biases that it was trained on.
    site_layer
        Layer after which its site is read and shifted.
    inventory, bank
        What it is asked, and of whom its roles are made.
    """

    respondent: Respondent
    truth: StructuralModel
    answers: AnswerModel
    site_layer: int
    inventory: Inventory
    bank: RoleBank

    def exogenous(self, roles: Sequence[Role]) -> pd.DataFrame:
        """Exogenous terms of roles made of facts, roles by values, in the values' unit.

        Raises
        ------
        ValueError
            If a role has a stance, under which its value does not follow from exogenous terms.
        """
        taking = next((role.name for role in roles if role.stances), None)
        if taking is not None:
            raise ValueError(f"role {taking!r} takes a stance; leave stances out here")
        shifts = role_shifts(roles, self.bank, self.truth.values)
        return shifts * (FACT_UNIT * self.truth.noise_sd)

    def true_values(self, roles: Sequence[Role]) -> pd.DataFrame:
        """Values of roles made of facts, in standard deviations; roles by values."""
        exogenous = self.exogenous(roles)
        values = self.truth.evaluate(exogenous.to_numpy())
        return pd.DataFrame(values, exogenous.index, list(self.truth.values))

    def true_effect(self, value: str) -> np.ndarray:
        """Change of the ten scores (log-odds) per unit of a value's exogenous term, shape (d,)."""
        return self.answers.gain * self.truth.total_effects[:, self.truth.index(value)]


def examine(respondent: Respondent, truth: StructuralModel, record: dict) -> Examined:
    """Put an organism together with its truth.

    Parameters
    ----------
    respondent
        The organism.
    truth
        What it was trained on.
    record
        Content of its ``training.json``.
    """
    return Examined(
        respondent,
        truth,
        AnswerModel(**record["answers"]),
        record["recipe"]["site_layer"],
        load_inventory(),
        load_role_bank(),
    )
