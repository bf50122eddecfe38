"""The system's Chromium, which prints the built book and checks its pages."""

from __future__ import annotations

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# A container often has neither a sandbox nor room in /dev/shm.
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage"]
MISSING = f"no browser: none of {', '.join(NAMES)} is installed"


def program() -> str | None:
    """Where it is installed; None if it is not."""
    return next(filter(None, map(shutil.which, NAMES)), None)
