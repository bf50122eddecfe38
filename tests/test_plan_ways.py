"""Figures of several ways, of a plan's steps, and the plan builder show what the tables hold."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.interventions import Shift
from valuegraph.plots.plan_builder import plan_builder
from valuegraph.plots.plan_ways import plot_steps, plot_ways
from valuegraph.plots.plans import plot_prior_study
from valuegraph.steering.action_effects import effects_from_changes
from valuegraph.steering.actions import shift_action
from valuegraph.steering.plan_checks import check_of_changes
from valuegraph.steering.plan_rivals import best_single
from valuegraph.steering.plans import plan

VALUES = ["SD", "ST", "PO"]


@pytest.fixture(scope="module")
def effects():
    rows = np.array([[1.0, 0.5, 0.2], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    noise = 1e-6 * np.random.default_rng(0).standard_normal((3, 6, 3))
    actions = [shift_action(Shift(f"s{i}", 1, np.eye(4)[i]), limit=2) for i in range(3)]
    return effects_from_changes(actions, rows[:, None] + noise, VALUES)


def changes_of(one, seed=0, n=6):
    mean = one.effects.change(one.coefficients)["predicted"].to_numpy()
    noise = 0.01 * np.random.default_rng(seed).standard_normal((n, len(VALUES)))
    return pd.DataFrame(mean + noise, columns=VALUES)


def test_each_way_has_a_panel_with_the_targets_first(effects):
    ways = {"plan": plan(effects, {"PO": 0.8}), "single": best_single(effects, {"PO": 0.8})}
    check = check_of_changes(ways, {w: changes_of(p) for w, p in ways.items()})
    axes = plot_ways(check.table).axes
    assert [a.get_title() for a in axes] == ["plan", "single"]
    assert [t.get_text() for t in axes[0].get_yticklabels()] == ["PO", "SD", "ST"]
    widths = [patch.get_width() for patch in axes[0].patches]
    assert widths[0] == pytest.approx(0.8, abs=0.02)
    with pytest.raises(ValueError, match="achieved"):
        plot_ways(check.table.drop(columns="achieved"))


def test_the_steps_end_where_the_plan_is_predicted_to(effects):
    found = plan(effects, {"SD": 0.8}, sparsity=0)
    axes = plot_steps(found, "SD", "ST", single=best_single(effects, {"SD": 0.8})).axes[0]
    arrows = [t for t in axes.texts if t.arrow_patch is not None]
    assert len(arrows) == 1 + len(found.coefficients)
    assert np.allclose(arrows[-1].xy, [0.8, 0.0], atol=1e-3)
    assert np.allclose(arrows[0].xy, [0.8, 0.4], atol=1e-3)
    with pytest.raises(ValueError, match="unknown value 'XX'"):
        plot_steps(found, "SD", "XX")


def test_the_builder_tells_doses_and_what_was_achieved(effects):
    kinds = {"all": effects, "one": effects.choose(["s0"])}
    plans = {
        (v, size, kind): plan(kinds[kind], {v: size})
        for v in ("SD", "ST")
        for size in (-0.5, 0.5)
        for kind in kinds
    }
    done = {at: changes_of(p) for at, p in plans.items() if len(p.coefficients)}
    slides = plan_builder(plans, done, title="Plans")
    assert list(slides.steps) == ["value", "change", "allowed"]
    figure, words = slides.draw(value="SD", change=-0.5, allowed="all")
    achieved = done["SD", -0.5, "all"]["SD"].mean()
    assert f"Achieved {achieved:+.2f}".replace("-", "−") in words and "s0 × −0.5" in words
    assert figure.axes[0].get_xlim()[1] > 0.5
    with pytest.raises(ValueError, match="every combination"):
        plan_builder({k: p for k, p in list(plans.items())[1:]}, done, title="Plans")
    with pytest.raises(ValueError, match="not carried out"):
        plan_builder(plans, {}, title="Plans")


def test_the_builder_says_when_nothing_is_done(effects):
    idle = plan(effects.choose(["s1"]), {"PO": 0.5})
    assert idle.coefficients.empty
    plans = {(v, s, a): idle for v in ("PO", "SD") for s in (0.5, 1.0) for a in ("x", "y")}
    words = plan_builder(plans, {}, title="Plans").draw(value="PO", change=0.5, allowed="x")[1]
    assert "nothing is done" in words and "no action moves PO" in words


def test_the_prior_study_leaves_out_where_nothing_is_usable():
    rows = [
        ("human", noise, n, prior, 0 if n == 2 else 5, 1 / n)
        for noise in (0.0, 1.2)
        for n in (2, 8, 32)
        for prior in ("none", "no edges", "true graph", "the other's graph")
    ]
    columns = ["organism", "noise", "n_roles", "prior", "usable", "median_collateral"]
    study = pd.DataFrame(rows, columns=columns)
    (axes,) = plot_prior_study(study, noise=1.2).axes
    assert [list(line.get_xdata()) for line in axes.lines] == [[8, 32]] * 4
    with pytest.raises(ValueError, match=r"no noise 0\.5"):
        plot_prior_study(study, noise=0.5)
