"""Measure an organism afresh: how far it answers, holds and obeys as its model says."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from studies.training.language import materials
from studies.training.network import block_size
from studies.training.recovery import recovery_figures
from valuegraph.answers import score_answers, yes_bias
from valuegraph.effects import changes, cosine
from valuegraph.elicitation import elicit
from valuegraph.interventions import Shift
from valuegraph.models import Respondent
from valuegraph.organisms import Organism
from valuegraph.probing import states
from valuegraph.prompts import PromptFormat
from valuegraph.roles import make_role, sample_roles
from valuegraph.sae import describe_sae, feature_activity, feature_shift, load_sae

#: Numbers of roles at which recovery of the graph is measured.
SIZES = (50, 100, 200, 400, 800, 1200, 1600, 2000)


def check_organism(
    respondent: Respondent,
    organism: Organism,
    *,
    sae_folder: Path | None = None,
    seeds: Sequence[int] = range(10),
    sizes: Sequence[int] = SIZES,
    steered_roles: int = 60,
    report: Callable[[str], None] = lambda line: None,
) -> dict:
    """Measure everything that an organism's card tells; figures by name, ready for JSON.

    The graph is recovered from the first so many roles (`sizes`) of each seed; effects of shifts
    are averaged over `steered_roles`. `report` gets a line on each stage.
    """
    report("answers and site")
    parameters = sum(p.numel() for p in respondent.model.parameters())
    figures = {
        "size": {"parameters": parameters, "vocabulary": len(respondent.tokenizer)},
        "scores": check_scores(respondent, organism),
        "biases": check_biases(respondent, organism),
        "stances": check_stances(respondent, organism),
        "blocks": check_site(respondent, organism, n_roles=steered_roles),
    }
    if sae_folder is not None:
        report("features of the sparse autoencoder")
        figures["sae"] = check_sae(respondent, organism, sae_folder, n_roles=steered_roles)
    samples = {}
    for seed in seeds:
        report(f"recovery: roles of seed {seed}")
        samples[seed] = _scores(respondent, organism, _roles(organism, max(sizes), seed=seed))
    figures["recovery"] = recovery_figures(organism.truth.cpdag(), samples, sizes=sizes)
    return figures


def check_scores(respondent: Respondent, organism: Organism, *, n: int = 400) -> dict:
    """Correlation and slope of elicited scores against true values, by value."""
    roles = _roles(organism, n, seed=1000)
    scores, true = _scores(respondent, organism, roles), organism.true_values(roles)
    correlation = scores[list(true)].corrwith(true)
    return {
        "n": n,
        "correlation": correlation.to_dict(),
        "min_correlation": float(correlation.min()),
        "slope": {v: float(np.polyfit(true[v], scores[v], 1)[0]) for v in true},
        "true_slope": organism.gain,
    }


def check_biases(respondent: Respondent, organism: Organism, *, n: int = 60) -> dict:
    """Biases measured in both orders of yes and no, against the planted ones (log-odds)."""
    roles, inventory = _roles(organism, n, seed=1001), materials(organism.truth.values)[0]
    first, last = (
        float(yes_bias(elicit(respondent, inventory, roles, formats=fmt)).mean())
        for fmt in (PromptFormat(yes_first=True), PromptFormat(yes_first=False))
    )
    return {
        "yes_bias": (first + last) / 2,
        "true_yes_bias": organism.yes_bias,
        "order_bias": (last - first) / 2,
        "true_order_bias": organism.order_bias,
    }


def check_stances(respondent: Respondent, organism: Organism, *, n: int = 60) -> dict:
    """Give each role a stance on one value; compare its scores with the values under ``do``."""
    truth = organism.truth
    inventory, bank = materials(truth.values)
    rng = np.random.default_rng(1004)
    plain = sample_roles(bank, n, seed=1004, p_fact=0.5)
    fixed = np.full((n, len(truth.values)), np.nan)
    roles = []
    for i, role in enumerate(plain):
        k, level = i % len(truth.values), float(rng.choice(bank.stances["level"]))
        fixed[i, k] = level
        parts = {"facts": role.facts, "stances": [(truth.values[k], level)]}
        roles.append(make_role(role.name, bank=bank, inventory=inventory, **parts))
    true = truth.evaluate(organism.exogenous(plain).to_numpy(), fixed=fixed)
    measured = _scores(respondent, organism, roles)[list(truth.values)].to_numpy() / organism.gain
    is_set = ~np.isnan(fixed)
    return {
        "n": n,
        "correlation_set": float(np.corrcoef(measured[is_set], true[is_set])[0, 1]),
        "slope_set": float(np.polyfit(true[is_set], measured[is_set], 1)[0]),
        "correlation_others": float(np.corrcoef(measured[~is_set], true[~is_set])[0, 1]),
    }


def check_site(
    respondent: Respondent, organism: Organism, *, n_roles: int, regression_roles: int = 2000
) -> dict:
    """Shift the site by what one unit of each ``u_k`` is worth there, and compare the effects.

    What it is worth comes from a regression of the site's states on all exogenous terms; shifts are
    made in the block of the value alone and in all coordinates. ``told_by_site`` is the share of
    each ``u_k``'s variance that can be read off the state.
    """
    values = organism.truth.values
    roles = _roles(organism, regression_roles, seed=1002)
    at_site = states(respondent, roles, layer=organism.site_layer)
    at_site = at_site - at_site.mean(axis=0)
    u = organism.exogenous(roles).to_numpy()
    u = u - u.mean(axis=0)
    slopes = np.linalg.lstsq(u, at_site, rcond=None)[0]
    left = u - at_site @ np.linalg.lstsq(at_site, u, rcond=None)[0]
    size = block_size(slopes.shape[1], len(values))
    own = np.arange(slopes.shape[1]) // size == np.arange(len(values))[:, None]
    roles = _roles(organism, n_roles, seed=1502)
    true = np.array([organism.true_effect(value) for value in values])
    result: dict = {}
    for name, vectors in (("blocks", np.where(own, slopes, 0)), ("all_coordinates", slopes)):
        shifts = [Shift(v, organism.site_layer, s) for v, s in zip(values, vectors, strict=True)]
        effects = _changes(respondent, organism, roles, shifts).mean(axis=1)
        sizes = np.linalg.norm(effects, axis=1) / np.linalg.norm(true, axis=1)
        cosines = dict(zip(values, map(_cosine, effects, true), strict=True))
        result[name] = {
            "cosine": cosines,
            "min_cosine": min(cosines.values()),
            "relative_size": dict(zip(values, map(float, sizes), strict=True)),
        }
    readable = 1 - (left**2).sum(axis=0) / (u**2).sum(axis=0)
    result["told_by_site"] = dict(zip(values, map(float, readable), strict=True))
    return result


def check_sae(respondent: Respondent, organism: Organism, folder: Path, *, n_roles: int) -> dict:
    """Push every live feature; by value, take the nearest to the truth, judged on other roles."""
    sae, layer = load_sae(folder), organism.site_layer
    at_site = states(respondent, _roles(organism, 4000, seed=1003), layer=layer)
    activity = feature_activity(sae, at_site)
    alive = np.flatnonzero((activity > 0).mean(axis=0) > 0.001)
    shifts = [
        # A push of one typical activation, so that strong and weak features compare.
        feature_shift(sae, int(f), coefficient=float(activity[activity[:, f] > 0, f].mean()))
        for f in alive
    ]
    roles = _roles(organism, n_roles, seed=1004)
    effects = _changes(respondent, organism, roles, shifts)
    choose, judge = effects[:, ::2].mean(axis=1), effects[:, 1::2].mean(axis=1)
    best = {}
    for value in organism.truth.values:
        true = organism.true_effect(value)
        fit = np.array([_cosine(effect, true) for effect in choose])
        winner = int(np.argmax(np.abs(fit)))
        sign = float(np.sign(fit[winner]))
        best[value] = {"feature": int(alive[winner]), "sign": sign}
        best[value]["cosine"] = sign * _cosine(judge[winner], true)
    facts = describe_sae(sae, at_site)
    return {
        "d_sae": facts["features"],
        "active": facts["l0"],
        "alive": len(alive),
        "unexplained_variance": facts["unexplained"],
        "best": best,
        "values_above_.95": sum(entry["cosine"] >= 0.95 for entry in best.values()),
    }


def _roles(organism, n, **options):
    return sample_roles(materials(organism.truth.values)[1], n, **options)


def _scores(respondent, organism, roles):
    return score_answers(elicit(respondent, materials(organism.truth.values)[0], roles))


def _changes(respondent, organism, roles, shifts) -> np.ndarray:
    """Change of each role's scores under each shift, shape ``(len(shifts), len(roles), d)``."""
    inventory, _ = materials(organism.truth.values)
    answers = elicit(respondent, inventory, roles, interventions=[None, *shifts])
    table = changes(answers)[list(organism.truth.values)]
    return np.stack([table.loc[shift.name].to_numpy() for shift in shifts])


def _cosine(effect: np.ndarray, true: np.ndarray) -> float:
    return cosine(effect, true) if np.any(effect) else 0.0
