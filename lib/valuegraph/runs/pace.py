"""How long a run will take: measured on a few of its roles, on the machine that will do it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from valuegraph.runs.plan import Sweep, require_positive

if TYPE_CHECKING:
    from valuegraph.models import Respondent


@dataclass(frozen=True)
class Pace:
    """How fast a respondent answered.

    Attributes
    ----------
    model, device
        Who answered, and on what kind of device.
    asked
        Cells that were timed.
    items
        Questions in a cell.
    seconds
        For one cell.
    cells
        Cells of the whole run.
    """

    model: str
    device: str
    asked: int
    items: int
    seconds: float
    cells: int

    def duration(self, cells: int | None = None) -> float:
        """Seconds that some cells, by default all of the run, take at this pace."""
        return self.seconds * (self.cells if cells is None else cells)

    def __str__(self) -> str:
        """Tell it in three lines."""
        return (
            f"{self.cells} cells of {self.items} questions, asked of {self.model},\n"
            f"will take about {tell_duration(self.duration())} on this machine.\n"
            f"Measured on {self.asked} of them, on its {self.device}: {self.seconds:.2g} s each."
        )


def measure_pace(respondent: Respondent, sweep: Sweep, *, n_roles: int = 2) -> Pace:
    """Ask a few roles of a run, and tell how long all of it will take.

    One more role is asked beforehand and not timed: whatever is set up once is set up then. A GPU
    answers a whole block faster than so few roles, so there the figure is rather too long.

    Parameters
    ----------
    respondent
        Who will answer: what ``sweep.model.load()`` returned.
    sweep
        What will be asked; of several formats the first is timed.
    n_roles
        How many roles are asked, at most all.

    Returns
    -------
    Pace
        ``print`` tells it.

    Raises
    ------
    ValueError
        If `n_roles` is less than 1, or `elicit` refuses.
    """
    from valuegraph.elicitation import elicit

    require_positive(n_roles, "n_roles")
    roles = sweep.roles[:n_roles]

    def ask(roles) -> None:
        elicit(
            respondent,
            sweep.inventory,
            roles,
            interventions=sweep.interventions,
            fmt=sweep.formats[0],
            mode=sweep.mode,
            prior=sweep.prior,
            max_new_tokens=sweep.max_new_tokens,
        )

    ask(roles[:1])
    begun = time.perf_counter()
    ask(roles)
    asked = len(roles) * len(sweep.interventions)
    return Pace(
        model=respondent.name,
        device=respondent.device.type,
        asked=asked,
        items=len(sweep.inventory.items),
        seconds=(time.perf_counter() - begun) / asked,
        cells=sum(block.cells for block in sweep.blocks),
    )


def tell_duration(seconds: float) -> str:
    """Write a duration: ``0.8 s``, ``45 s``, ``12 min``, ``3.4 h``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
