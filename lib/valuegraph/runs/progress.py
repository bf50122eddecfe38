"""How far a run is, how fast it goes and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from valuegraph.console import console, say

#: Seconds between two lines where there is no terminal that could show a bar.
LINE_EVERY = 60.0


@contextmanager
def answering(total: int, already: int, *, shown: bool = True) -> Iterator[Callable[[int], None]]:
    """Show how answers come in as long as the context lasts: a bar, or lines without a terminal.

    Parameters
    ----------
    total
        Answers in all.
    already
        Answers that were there before; they count as done, but not for the rate.
    shown
        Whether anything is shown.

    Yields
    ------
    callable
        To be called with the number of answers that have come in.
    """
    clock = Clock(total, already)
    if shown and not console.is_terminal:
        with _lines(clock) as advance:
            yield advance
        return
    columns = (
        TextColumn("answering"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}"),
    )
    with Progress(*columns, console=console, disable=not shown) as bar:
        task = bar.add_task("", total=total, completed=already, pace=clock.pace)

        def advance(answers: int) -> None:
            clock.advance(answers)
            bar.update(task, completed=clock.done, pace=clock.pace)

        yield advance


@contextmanager
def _lines(clock: Clock) -> Iterator[Callable[[int], None]]:
    told = time.monotonic()

    def advance(answers: int) -> None:
        nonlocal told
        clock.advance(answers)
        if time.monotonic() - told >= LINE_EVERY:
            told = time.monotonic()
            say(f"{clock.done}/{clock.total} answers, {clock.pace}")

    yield advance


class Clock:
    """Counts answers, and tells from those that came in since it started when all will be there.

    Parameters
    ----------
    total
        Answers in all.
    already
        Answers that were there before.
    now
        What tells the time, in seconds.
    """

    def __init__(
        self, total: int, already: int, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.total, self.done, self._already = total, already, already
        self._now, self._start = now, now()
        self._latest = self._start

    def advance(self, answers: int) -> None:
        """Count answers that have come in."""
        self.done += answers
        self._latest = self._now()

    @property
    def rate(self) -> float:
        """Answers a second, from the start to when the latest came in; 0 before any did."""
        elapsed = self._latest - self._start
        return (self.done - self._already) / elapsed if elapsed > 0 else 0.0

    @property
    def pace(self) -> str:
        """Rate and time left, in words."""
        if not self.rate:
            return "waiting for answers"
        rate = f"{self.rate:.0f}" if self.rate >= 10 else f"{self.rate:.2g}"
        minutes, seconds = divmod(round((self.total - self.done) / self.rate), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{rate} answers/s, {hours}:{minutes:02d}:{seconds:02d} left"
