"""Golden values: what the acting estimator and the searches computed, to the eighth digit.

Other tests say that they are right; this one, that nothing moves unseen. Where a change is meant:

    python tests/test_golden.py
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

KEPT = Path(__file__).parent / "fixtures" / "golden.json"
VALUES = tuple("abcde")


def plain(figure):
    """Turn tables and arrays into what JSON can hold."""
    if isinstance(figure, pd.DataFrame):
        return {str(name): plain(figure[name].to_numpy()) for name in figure}
    if isinstance(figure, dict):
        return {str(name): plain(part) for name, part in figure.items()}
    if isinstance(figure, (list, tuple)):
        return [plain(part) for part in figure]
    if isinstance(figure, (np.ndarray, np.generic)):
        figure = figure.tolist()
        return plain(figure) if isinstance(figure, list) else figure
    return figure if isinstance(figure, (int, float, str, type(None))) else str(figure)


def equations(roles, noise):
    """Fit the equations of a feedback model to pushes of two groups, of which some are impure."""
    from valuegraph.direct_effects import Changes, fit

    rng = np.random.default_rng(roles)
    weights = rng.uniform(-0.4, 0.5, (5, 5)) * (rng.random((5, 5)) < 0.4)
    np.fill_diagonal(weights, 0)
    target = np.concatenate(
        [np.repeat(np.arange(5), 4), np.full(6, -1), np.repeat(np.arange(5), 2)]
    )
    group = np.repeat([0, 1], [26, 10])
    pushed = 0.1 * rng.standard_normal((36, 5)) + 0.3 * group[:, None]
    pushed[target >= 0, target[target >= 0]] += np.where(np.arange(36) % 2, 1.5, -1)[target >= 0]
    pushed[3, 4] += 3  # one that does something else besides
    item_value = np.repeat(np.arange(5), 3)
    shown = (pushed @ np.linalg.inv(np.eye(5) - weights))[:, None, item_value]
    cube = shown + noise * rng.standard_normal((36, roles, 15))
    kind = np.where(group, "shift", "stance")
    return fit(Changes(cube, item_value, target, group, kind), 5)._asdict()


def figures():
    """Compute all of them anew."""
    from simulated import simulated_answers

    from studies import SimulatedModel, random_model
    from valuegraph.acting import acted_graph, find_targets
    from valuegraph.discovery import discover
    from valuegraph.exact import search_exactly, search_pushes

    loop = SimulatedModel(("a", "b", "c"), np.array([[0, 0.5, 0], [0.4, 0, -0.6], [0, 0, 0]]))
    kept = {"equations": equations(3, 0.4), "equations, noisy": equations(4, 4.0)}
    drawn = {"roles": 4, "pushes": 4, "neutral": 8, "items": 3, "noise": 0.6, "impurity": 0.2}
    first, sentences = simulated_answers(loop, rng=np.random.default_rng(1), **drawn)
    drawn["neutral"] = 0
    second, facts = simulated_answers(loop, rng=np.random.default_rng(2), kind="fact", **drawn)
    second = second[second["intervention"] != "none"]
    graph = acted_graph(pd.concat([first, second]), [*sentences, *facts], null_draws=20)
    for part in ("table", "families", "errors", "info"):
        kept[f"acted {part}"] = getattr(graph, part)
    kept["acted responses"] = graph.responses(), graph.responses(firm=True)
    kept["acted needed"] = graph.needed(0.15), graph.needed(0.05, share=0.5)
    kept["targets"] = find_targets(first, sentences)

    rng = np.random.default_rng(6)
    scores = random_model(6, rng).scores(150, rng).xs("none")
    for method in ("pc", "exact"):
        found = discover(scores, method=method, alpha=0.05, null_draws=0)
        kept[f"searched by {method}"] = found.marks
    tier, samples = np.array([1, 0, 0, 0, 0, 1]), np.corrcoef(scores.T)[None]
    kept["searched with tiers"] = search_exactly(samples, 150, 0.05, tier)
    moved, errors = rng.standard_normal((12, 4)) + 3 * np.eye(4)[[*range(4)] * 3], np.full(4, 0.5)
    kept["pushes"] = search_pushes(moved, errors, 0.01)
    return plain(kept)


def same(new, old, where):
    """Compare part by part, and name the part that moved."""
    if isinstance(old, dict):
        assert new.keys() == old.keys(), where
        for name, part in old.items():
            same(new[name], part, f"{where}, {name}")
    elif isinstance(old, list) and any(isinstance(part, (list, dict)) for part in old):
        assert len(new) == len(old), where
        for k, part in enumerate(old):
            same(new[k], part, f"{where}, {k}")
    elif isinstance(old, (list, float)) and not any(isinstance(x, str) for x in np.atleast_1d(old)):
        new, old = (np.array(side, dtype=float) for side in (new, old))
        np.testing.assert_allclose(new, old, rtol=1e-7, atol=1e-9, err_msg=where)
    else:
        assert new == old, where


def test_nothing_moved():
    same(figures(), json.loads(KEPT.read_text()), "golden values")


def test_a_figure_that_moves_is_named():
    with pytest.raises(AssertionError, match="golden, weights"):
        same({"weights": [1.0, 2.0]}, {"weights": [1.0, 2.1]}, "golden")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
    KEPT.write_text(json.dumps(figures(), indent=0) + "\n")
