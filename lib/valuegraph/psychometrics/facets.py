"""Which prompt formats differ in one thing alone, so that its effect can be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from valuegraph.asking.prompts import PromptFormat


@dataclass(frozen=True)
class FormatFacets:
    """Pairs and groups of formats, as places in the list of their names.

    Attributes
    ----------
    wording_pairs
        Pairs of formats that differ in wording alone.
    order_pairs
        Pairs that differ alone in which option is named first; the one that names yes first stands
        first.
    wording_groups
        Largest groups of formats that differ in wording alone, each of two or more.
    foreign
        Names that are those of no `PromptFormat`; such formats are in no pair.
    """

    wording_pairs: tuple[tuple[int, int], ...]
    order_pairs: tuple[tuple[int, int], ...]
    wording_groups: tuple[tuple[int, ...], ...]
    foreign: tuple[str, ...]

    def reason(self, facet: str) -> str:
        """Say why there are no pairs that differ in a facet, ``"wording"`` or ``"order"``."""
        other = {"wording": "PromptFormat('say')", "order": "PromptFormat(yes_first=False)"}[facet]
        named = f" (not known: {', '.join(map(repr, self.foreign))})" if self.foreign else ""
        return (
            f"no two formats differ in {facet} alone{named}; ask the same roles in another format, "
            f"e.g. {other}"
        )


def format_facets(names: Sequence[str]) -> FormatFacets:
    """Find the formats that differ in one thing alone.

    Parameters
    ----------
    names
        Names of formats, as `valuegraph.asking.prompts.PromptFormat.name` gives them. Others are
        allowed, but of those it is not known what they differ in.
    """
    known, foreign = {}, []
    for i, name in enumerate(names):
        try:
            known[i] = PromptFormat.from_name(name)
        except ValueError:
            foreign.append(name)
    wording_pairs, order_pairs, groups = [], [], {}
    for (i, a), (j, b) in combinations(known.items(), 2):
        if replace(a, wording=b.wording) == b:
            wording_pairs.append((i, j))
        elif replace(a, yes_first=b.yes_first) == b:
            order_pairs.append((i, j) if a.yes_first else (j, i))
    for i, fmt in known.items():
        groups.setdefault((fmt.yes_first, fmt.think, fmt.layout), []).append(i)
    return FormatFacets(
        wording_pairs=tuple(wording_pairs),
        order_pairs=tuple(order_pairs),
        wording_groups=tuple(tuple(group) for group in groups.values() if len(group) > 1),
        foreign=tuple(foreign),
    )
