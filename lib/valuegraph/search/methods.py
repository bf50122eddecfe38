"""The searches by name, and what each of them cannot do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from valuegraph.search.fci import fci
from valuegraph.search.found import Found
from valuegraph.search.ges import ges
from valuegraph.search.knowledge import Knowledge
from valuegraph.search.lingam import lingam
from valuegraph.search.pc import pc, pc_plain

Search = Callable[[np.ndarray, float, float, Knowledge], Found]

SEARCHES: dict[str, Search] = {
    "pc": pc,
    "pc-plain": pc_plain,
    "fci": fci,
    "ges": ges,
    "lingam": lingam,
}
"""Searches by name: correlations (LiNGAM: rows), number of rows, alpha, knowledge -> edges."""

NEEDS_ROWS = ("lingam",)
"""Methods that cannot work from correlations."""

WITHOUT_TIERS = ("ges",)
"""Methods that cannot keep to background knowledge."""
