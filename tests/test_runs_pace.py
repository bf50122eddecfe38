"""Pace: what is timed is what will be asked, and the rest is multiplication."""

import time

import numpy as np
import pytest

from valuegraph import elicitation
from valuegraph.asking.prompts import PromptFormat
from valuegraph.interventions import Shift
from valuegraph.roles import sample_roles
from valuegraph.runs.pace import Pace, measure_pace, tell_duration
from valuegraph.runs.plan import Sweep


@pytest.fixture
def sweep(few_items, bank):
    formats = (PromptFormat("say"), PromptFormat("say", yes_first=False))
    return Sweep(
        "organism-human",
        few_items,
        sample_roles(bank, 10, seed=0),
        interventions=(None, Shift("up", 1, np.zeros(40))),
        formats=formats,
        prior=True,
        max_new_tokens=7,
    )


def test_what_is_timed_is_the_run_in_small(monkeypatch, organism, sweep):
    """Time stands still, but for a second for each cell asked."""
    clock, asked = [0.0], []

    def elicit(respondent, inventory, roles, **options):
        asked.append((respondent, inventory, roles, options))
        clock[0] += len(roles) * len(options["interventions"])

    monkeypatch.setattr(elicitation, "elicit", elicit)
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    pace = measure_pace(organism, sweep, n_roles=3)
    first, timed = asked
    assert (first[2], timed[2]) == (sweep.roles[:1], sweep.roles[:3])
    assert (
        first[3]
        == timed[3]
        == {
            "interventions": sweep.interventions,
            "fmt": sweep.formats[0],
            "mode": "logit",
            "prior": True,
            "max_new_tokens": 7,
        }
    )
    assert pace == Pace(organism.name, "cpu", asked=6, items=8, seconds=1.0, cells=40)
    assert (pace.duration(), pace.duration(5)) == (40, 5)
    assert "40 cells of 8 questions" in str(pace) and "about 40 s" in str(pace)


def test_a_real_respondent_has_a_pace(organism, sweep):
    pace = measure_pace(organism, sweep, n_roles=99)
    assert pace.asked == 20 and pace.seconds > 0
    with pytest.raises(ValueError, match="n_roles"):
        measure_pace(organism, sweep, n_roles=0)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.84, "0.8 s"), (45.2, "45 s"), (700, "12 min"), (5940, "99 min"), (12_240, "3.4 h")],
)
def test_durations_in_words(seconds, told):
    assert tell_duration(seconds) == told
