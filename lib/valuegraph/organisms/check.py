"""Measure an organism afresh: how far it answers, holds and obeys as its model says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from valuegraph.answers import score_answers, yes_bias
from valuegraph.asking.prompts import PromptFormat
from valuegraph.elicitation import elicit
from valuegraph.organisms.examined import Examined
from valuegraph.organisms.recovery import recovery_figures
from valuegraph.organisms.site_checks import check_blocks, check_sae
from valuegraph.roles import make_role, sample_roles

#: Numbers of roles at which recovery of the graph is told.
SIZES = (50, 100, 200, 400, 800, 1200, 1600, 2000)

#: Significance level of the recovery check.
ALPHA = 0.01


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
    report("stances")
    figures["stances"] = check_stances(examined)
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


def check_stances(examined: Examined, *, n: int = 60, seed: int = 1004) -> dict:
    """Give each role a stance on one value; compare the scores with those under ``do(v_k)``.

    Parameters
    ----------
    examined
        The organism.
    n
        Number of roles.
    seed
        Of the roles and of the levels of their stances.

    Returns
    -------
    dict
        Correlation of scores with true values, for the values that a stance sets and for all
        others, and the slope of the former (in the values' unit, so that 1 is right).
    """
    bank, truth, inventory = examined.bank, examined.truth, examined.inventory
    rng = np.random.default_rng(seed)
    plain = sample_roles(bank, n, seed=seed, p_fact=0.5)
    fixed = np.full((n, len(truth.values)), np.nan)
    roles = []
    for i, role in enumerate(plain):
        k, level = i % len(truth.values), float(rng.choice(bank.stances["level"]))
        fixed[i, k] = level
        stance = (truth.values[k], level)
        roles.append(
            make_role(role.name, bank=bank, facts=role.facts, stances=[stance], inventory=inventory)
        )
    true = truth.evaluate(examined.exogenous(plain).to_numpy(), fixed=fixed)
    scores = score_answers(elicit(examined.respondent, inventory, roles))
    measured = scores[list(truth.values)].to_numpy() / examined.answers.gain
    is_set = ~np.isnan(fixed)
    return {
        "n": n,
        "correlation_set": float(np.corrcoef(measured[is_set], true[is_set])[0, 1]),
        "slope_set": float(np.polyfit(true[is_set], measured[is_set], 1)[0]),
        "correlation_others": float(np.corrcoef(measured[~is_set], true[~is_set])[0, 1]),
    }


def check_recovery(
    examined: Examined,
    *,
    seeds: Sequence[int],
    sizes: Sequence[int],
    report: Callable[[str], None] = lambda line: None,
) -> dict:
    """Graphs from elicited scores against the true CPDAG, by number of roles and seed.

    Where the scores are there already, :func:`valuegraph.organisms.recovery.recovery_figures` does
    the same without asking.
    """

    def samples() -> Iterator[tuple[int, pd.DataFrame]]:
        for seed in seeds:
            report(f"recovery: roles of seed {seed}")
            roles = sample_roles(examined.bank, max(sizes), seed=seed)
            yield seed, score_answers(elicit(examined.respondent, examined.inventory, roles))

    return recovery_figures(examined.truth.cpdag(), samples(), sizes=sizes, alpha=ALPHA)


def _size(examined: Examined) -> dict:
    parameters = sum(p.numel() for p in examined.respondent.model.parameters())
    return {"parameters": int(parameters), "vocabulary": len(examined.respondent.tokenizer)}
