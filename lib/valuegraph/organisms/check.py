"""Measure an organism afresh: how far it answers, holds and obeys as its model says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from valuegraph.answers import NO_INTERVENTION, score_answers, yes_bias
from valuegraph.elicitation import elicit, site_states
from valuegraph.hooks import SiteShift
from valuegraph.inventory import Inventory, load_inventory
from valuegraph.models import Respondent
from valuegraph.organisms.dialogues import FACT_UNIT, AnswerModel
from valuegraph.organisms.recovery import recovery_runs
from valuegraph.organisms.scm import StructuralModel
from valuegraph.organisms.site_code import block_slices
from valuegraph.prompts import PromptFormat
from valuegraph.roles import Role, RoleBank, load_role_bank, role_shifts, sample_roles
from valuegraph.steering.effects import cosine, effects_of
from valuegraph.steering.sae import (
    feature_activity,
    feature_shift,
    load_sae,
    unexplained_variance,
)

#: Numbers of roles at which recovery of the graph is told.
SIZES = (50, 100, 200, 400, 800, 1200, 1600, 2000)

#: Significance level of the recovery check.
ALPHA = 0.01


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

    def true_values(self, roles: Sequence[Role]) -> pd.DataFrame:
        """Values of roles made of facts, in standard deviations; roles by values."""
        shifts = role_shifts(roles, self.bank, self.truth.values)
        exogenous = shifts.to_numpy() * FACT_UNIT * self.truth.noise_sd
        return pd.DataFrame(self.truth.evaluate(exogenous), shifts.index, list(self.truth.values))


def check_organism(
    examined: Examined,
    *,
    sae_folder: Path | None = None,
    seeds: Sequence[int] = range(10),
    sizes: Sequence[int] = SIZES,
    steered_roles: int = 60,
    report: Callable[[str], None] = lambda line: None,
) -> dict:
    """Measure everything that an organism's card tells.

    Parameters
    ----------
    examined
        The organism and its truth.
    sae_folder
        Its sparse autoencoder, if it has one.
    seeds
        Seeds of the roles from which the graph is recovered.
    sizes
        Numbers of roles at which recovery is told, ascending.
    steered_roles
        Roles over which effects of shifts are averaged.
    report
        Called with a line on each stage.

    Returns
    -------
    dict
        Figures by name, ready for JSON.
    """
    report("elicited scores against true values")
    figures = {"size": _size(examined), "scores": check_scores(examined)}
    report("biases")
    figures["biases"] = check_biases(examined)
    report("shifts of the site")
    figures["blocks"] = check_blocks(examined, n_roles=steered_roles)
    if sae_folder is not None:
        report("features of the sparse autoencoder")
        figures["sae"] = check_sae(examined, sae_folder, n_roles=steered_roles)
    figures["recovery"] = check_recovery(examined, seeds=seeds, sizes=sizes, report=report)
    return figures


def check_scores(examined: Examined, *, n: int = 400, seed: int = 1000) -> dict:
    """Correlation and slope of elicited scores against true values, by value."""
    roles = sample_roles(examined.bank, n, seed=seed)
    scores = score_answers(elicit(examined.respondent, examined.inventory, roles))
    true = examined.true_values(roles)
    correlation = {v: float(np.corrcoef(scores[v], true[v])[0, 1]) for v in true}
    slope = {v: float(np.polyfit(true[v], scores[v], 1)[0]) for v in true}
    return {
        "n": n,
        "correlation": correlation,
        "min_correlation": min(correlation.values()),
        "slope": slope,
        "true_slope": examined.answers.gain,
    }


def check_biases(examined: Examined, *, n: int = 60, seed: int = 1001) -> dict:
    """Biases measured in both orders of yes and no, against the planted ones (log-odds)."""
    roles = sample_roles(examined.bank, n, seed=seed)
    first, last = (
        float(
            yes_bias(
                elicit(
                    examined.respondent,
                    examined.inventory,
                    roles,
                    fmt=PromptFormat(yes_first=yes_first),
                )
            ).mean()
        )
        for yes_first in (True, False)
    )
    return {
        "yes_bias": (first + last) / 2,
        "true_yes_bias": examined.answers.yes_bias,
        "order_bias": (last - first) / 2,
        "true_order_bias": examined.answers.order_bias,
    }


def check_blocks(examined: Examined, *, n_roles: int, seed: int = 1002) -> dict:
    """Shift each block along its slope on ``u_k``; compare the effects with ``T[:, k]``.

    The slope is that of the block's state on the exogenous term, over 2,000 roles; the shift is
    worth one unit of ``u_k``. A plain organism is treated in the same way, with slopes over all
    coordinates, for it has no blocks.
    """
    roles = sample_roles(examined.bank, 2000, seed=seed)
    states = site_states(examined.respondent, roles, layer=examined.site_layer)
    u = role_shifts(roles, examined.bank, examined.truth.values).to_numpy()
    u = u * FACT_UNIT * examined.truth.noise_sd
    u = u - u.mean(axis=0)
    slopes = u.T @ (states - states.mean(axis=0)) / (u**2).sum(axis=0)[:, None]
    blocks = block_slices(examined.respondent.width, len(examined.truth.values))
    result = {}
    for name, restrict in (("blocks", True), ("all_coordinates", False)):
        shifts = []
        for k, value in enumerate(examined.truth.values):
            vector = np.zeros(examined.respondent.width)
            where = blocks[k] if restrict else slice(None)
            vector[where] = slopes[k, where]
            shifts.append(SiteShift(value, examined.site_layer, vector))
        result[name] = _against_truth(examined, shifts, n_roles, seed)
    return result


def _against_truth(
    examined: Examined, shifts: Sequence[SiteShift], n_roles: int, seed: int
) -> dict:
    """Effects of one shift a value, named by the value, against the true total effects."""
    roles = sample_roles(examined.bank, n_roles, seed=seed + 500)
    answers = elicit(examined.respondent, examined.inventory, roles, interventions=[None, *shifts])
    table = effects_of(answers, draws=1)
    measured = table.pivot(index="intervention", columns="value", values="effect")
    cosines, ratios = {}, {}
    for k, value in enumerate(examined.truth.values):
        effect = measured.loc[value, list(examined.truth.values)].to_numpy()
        true = examined.answers.gain * examined.truth.total_effects[:, k]
        cosines[value] = cosine(effect, true) if np.any(effect) else 0.0
        ratios[value] = float(np.linalg.norm(effect) / np.linalg.norm(true))
    return {
        "cosine": cosines,
        "min_cosine": min(cosines.values()),
        "relative_size": ratios,
    }


def check_sae(examined: Examined, folder: Path, *, n_roles: int, seed: int = 1003) -> dict:
    """Effect of every live feature; for each value, the one whose effect is nearest ``T[:, k]``.

    The feature is chosen on one half of the roles and its cosine told on the other.
    """
    sae = load_sae(folder)
    roles = sample_roles(examined.bank, 4000, seed=seed)
    states = site_states(examined.respondent, roles, layer=examined.site_layer)
    activity = feature_activity(sae, states)
    alive = np.flatnonzero((activity > 0).mean(axis=0) > 0.001)
    shifts = [
        # A push of one typical activation, so that strong and weak features compare.
        feature_shift(sae, int(f), coefficient=float(activity[activity[:, f] > 0, f].mean()))
        for f in alive
    ]
    roles = sample_roles(examined.bank, n_roles, seed=seed + 1)
    scores = score_answers(
        elicit(examined.respondent, examined.inventory, roles, interventions=[None, *shifts])
    )
    change = np.stack(
        [(scores.loc[s.name] - scores.loc[NO_INTERVENTION]).to_numpy() for s in shifts]
    )  # (features, roles, values)
    choose, tell = change[:, ::2].mean(axis=1), change[:, 1::2].mean(axis=1)
    best = {}
    for k, value in enumerate(scores.columns):
        true = examined.truth.total_effects[:, k]
        fit = [abs(cosine(effect, true)) if np.any(effect) else 0.0 for effect in choose]
        winner = int(np.argmax(fit))
        best[value] = {
            "feature": int(alive[winner]),
            "cosine": abs(cosine(tell[winner], true)) if np.any(tell[winner]) else 0.0,
        }
    cosines = [entry["cosine"] for entry in best.values()]
    return {
        "d_sae": int(sae.cfg.d_sae),
        "active": float((activity > 0).sum(axis=1).mean()),
        "alive": int(len(alive)),
        "unexplained_variance": unexplained_variance(sae, states),
        "best": best,
        "values_above_.95": int(sum(c >= 0.95 for c in cosines)),
    }


def check_recovery(
    examined: Examined,
    *,
    seeds: Sequence[int],
    sizes: Sequence[int],
    report: Callable[[str], None] = lambda line: None,
) -> dict:
    """Graphs from elicited scores against the true CPDAG, by number of roles and seed."""

    def samples() -> Iterator[tuple[int, pd.DataFrame]]:
        for seed in seeds:
            report(f"recovery: roles of seed {seed}")
            roles = sample_roles(examined.bank, max(sizes), seed=seed)
            yield seed, score_answers(elicit(examined.respondent, examined.inventory, roles))

    truth = examined.truth.cpdag()
    runs = recovery_runs(truth, samples(), sizes=sizes, alpha=ALPHA)
    exact = runs[runs["method"] == "pc"].groupby("n")["exact"].sum()
    return {
        "alpha": ALPHA,
        "seeds": list(seeds),
        "edges": truth.n_edges,
        "exact_skeletons": {str(n): int(count) for n, count in exact.items()},
        "runs": runs.to_dict(orient="records"),
    }


def _size(examined: Examined) -> dict:
    parameters = sum(p.numel() for p in examined.respondent.model.parameters())
    return {"parameters": int(parameters), "vocabulary": len(examined.respondent.tokenizer)}


def examine(respondent: Respondent, truth: StructuralModel, record: dict) -> Examined:
    """Put an organism together with its truth; `record` is the content of its training.json."""
    return Examined(
        respondent,
        truth,
        AnswerModel(**record["answers"]),
        record["recipe"]["site_layer"],
        load_inventory(),
        load_role_bank(),
    )
