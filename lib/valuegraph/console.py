"""What programs say to whoever waits for them, on the standard error stream."""

from __future__ import annotations

from rich.console import Console

#: Where progress and remarks go, so that standard output stays free for results.
console = Console(stderr=True)


def say(line: str) -> None:
    """Print a line as it stands; the terminal breaks it where it ends."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)
