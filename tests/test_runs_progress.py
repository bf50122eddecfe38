"""How far a run is: counted from what was there, timed from what came in."""

import pytest

from valuegraph.runs import progress
from valuegraph.runs.progress import Clock, answering


@pytest.fixture
def time():
    """A clock that stands still until it is set."""
    now = [100.0]

    def read():
        return now[0]

    def wait(seconds):
        now[0] += seconds

    read.wait = wait
    return read


def test_rate_and_time_left_come_from_the_answers_of_this_start(time):
    clock = Clock(10_000, 9_000, now=time)
    time.wait(5)
    clock.advance(100)
    assert clock.done == 9_100 and clock.rate == 20
    assert clock.pace == "20 answers/s, 0:00:45 left"
    time.wait(5)  # nothing has come in since: the rate is not told again
    assert clock.rate == 20


def test_long_times_and_slow_rates_can_be_read(time):
    clock = Clock(20_001, 0, now=time)
    time.wait(2)
    clock.advance(1)
    assert clock.pace == "0.5 answers/s, 11:06:40 left"


def test_before_the_first_answer_no_rate_is_told(time):
    assert Clock(10, 5, now=time).pace == "waiting for answers"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_gets_a_bar_and_a_log_gets_lines(terminal, monkeypatch, capsys):
    monkeypatch.setattr(progress.console, "_force_terminal", terminal)
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    with answering(20, 5) as advance:
        advance(10)
        advance(5)
    told = capsys.readouterr().err
    assert "20/20" in told and "answers/s" in told
    assert ("15/20 answers" in told) == (not terminal)


def test_nothing_is_shown_if_not_asked_for(monkeypatch, capsys):
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    with answering(20, 5, shown=False) as advance:
        advance(10)
    assert capsys.readouterr().err == ""
