"""What a long run asks, and the blocks into which it is cut.

A *sweep* asks every role every item, under every intervention and in every prompt format. One
(format, role, intervention) is a *cell*: all items, put once. Cells do not depend on each other. A
*block* is some consecutive cells: the unit of work, of file and of repetition. How a sweep is cut
depends on nothing but its size, so that every process cuts it alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING

from valuegraph.answers import NO_INTERVENTION
from valuegraph.asking.options import check_mode, check_names
from valuegraph.asking.prompts import PromptFormat
from valuegraph.inventory import Inventory
from valuegraph.roles import NO_ROLE, Role

if TYPE_CHECKING:
    from valuegraph.interventions import Intervention
    from valuegraph.models import Respondent


@dataclass(frozen=True)
class ModelSource:
    """How to load a respondent: plain data, so that a worker in another process can do it too.

    Attributes
    ----------
    name
        Short name, hub name or folder, as for `valuegraph.models.load_model`.
    device
        Where to put it, such as ``"cuda"``; None leaves the choice to `load_model`.
    dtype
        Type of the weights, such as ``"bfloat16"``; None leaves the choice to `load_model`.
    quantize
        ``"8bit"``, ``"4bit"``, or None for neither.
    revision
        Branch, tag or commit of the hub; None for the newest.
    """

    name: str
    device: str | None = None
    dtype: str | None = None
    quantize: str | None = None
    revision: str | None = None

    def __post_init__(self) -> None:
        """Make everything plain text."""
        object.__setattr__(self, "name", str(self.name))
        for option in ("device", "dtype"):
            if getattr(self, option) is not None:
                text = str(getattr(self, option)).removeprefix("torch.")
                object.__setattr__(self, option, text)

    def load(self) -> Respondent:
        """Load the respondent."""
        from valuegraph.models import load_model

        return load_model(
            self.name,
            device=self.device,
            dtype=self.dtype,
            quantize=self.quantize,
            revision=self.revision,
        )


@dataclass(frozen=True)
class Block:
    """Some consecutive cells of a sweep.

    Attributes
    ----------
    number
        Place of the block among all, counted from 0.
    fmt
        Place of its prompt format in the sweep.
    roles, interventions
        Places of its roles and interventions in the sweep, as (first, one past the last). Every
        role meets every intervention.
    """

    number: int
    fmt: int
    roles: tuple[int, int]
    interventions: tuple[int, int]

    @property
    def cells(self) -> int:
        """Number of cells."""
        return (self.roles[1] - self.roles[0]) * (self.interventions[1] - self.interventions[0])


@dataclass(frozen=True, eq=False)
class Sweep:
    """What is asked, of whom and how.

    Attributes
    ----------
    model
        How to load the respondent; a name stands for ``ModelSource(name)``.
    inventory
        What is asked.
    roles
        Who the respondent is asked to be; None for itself.
    interventions
        What is done to the respondent before it answers; None for nothing.
    formats
        How the questions are put; by default the one format that `elicit` takes by default.
    mode
        ``"logit"`` or ``"generate"``; see `valuegraph.elicitation.elicit`.
    prior
        Whether the log-odds of yes to questions without content are subtracted.
    max_new_tokens
        Length at which a generated answer is cut off.
    seeds
        From which the roles were drawn; kept for the record.
    block_size
        Cells in a block, at most. What is lost when a run is killed is the blocks in work. Shifts
        of one role share the layers below them within a block only.

    Raises
    ------
    ValueError
        If there are no roles or interventions, two of them or two formats share a name, the mode is
        unknown, a prior is asked for in ``generate`` mode, or a number is less than 1.
    """

    model: ModelSource
    inventory: Inventory
    roles: tuple[Role | None, ...]
    interventions: tuple[Intervention | None, ...] = (None,)
    formats: tuple[PromptFormat, ...] = ()
    mode: str = "logit"
    prior: bool = False
    max_new_tokens: int = 100
    seeds: tuple[int, ...] = ()
    block_size: int = 16

    def __post_init__(self) -> None:
        """Freeze the sequences and validate."""
        if not isinstance(self.model, ModelSource):
            object.__setattr__(self, "model", ModelSource(self.model))
        for field in ("roles", "interventions", "formats", "seeds"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        if not self.formats:
            default = PromptFormat(think=self.mode == "generate")
            object.__setattr__(self, "formats", (default,))
        check_names(self.role_names, "role")
        check_names(self.intervention_names, "intervention")
        check_names(self.format_names, "format")
        check_mode(self.mode, prior=self.prior)
        for field in ("max_new_tokens", "block_size"):
            require_positive(getattr(self, field), field)

    @property
    def role_names(self) -> list[str]:
        """Names of the roles as the answers have them."""
        return [NO_ROLE if role is None else role.name for role in self.roles]

    @property
    def intervention_names(self) -> list[str]:
        """Names of the interventions as the answers have them."""
        return [NO_INTERVENTION if i is None else i.name for i in self.interventions]

    @property
    def format_names(self) -> list[str]:
        """Names of the formats as the answers have them."""
        return [fmt.name for fmt in self.formats]

    @property
    def blocks(self) -> list[Block]:
        """Its blocks, in their order."""
        return cut(
            len(self.formats), len(self.roles), len(self.interventions), block_size=self.block_size
        )


def cut(n_formats: int, n_roles: int, n_interventions: int, *, block_size: int) -> list[Block]:
    """Cut a sweep into blocks.

    Cells are ordered by format, then by role, then by intervention. A block has one format, and
    either whole roles (each with all interventions) or, where these alone would be too many, a part
    of the interventions of one role.

    Parameters
    ----------
    n_formats, n_roles, n_interventions
        Size of the sweep.
    block_size
        Cells in a block, at most.

    Returns
    -------
    list of Block
        All blocks; together they hold every cell once, in order.
    """
    roles_each = max(1, block_size // n_interventions)
    blocks: list[Block] = []
    for fmt in range(n_formats):
        for role in range(0, n_roles, roles_each):
            for first in range(0, n_interventions, block_size):
                roles = (role, min(role + roles_each, n_roles))
                interventions = (first, min(first + block_size, n_interventions))
                blocks.append(Block(len(blocks), fmt, roles, interventions))
    return blocks


def parse_shard(text: str) -> tuple[int, int]:
    """Read ``"i/n"``, the i-th of n shards.

    Raises
    ------
    ValueError
        If it is not of that form or there is no such shard.
    """
    match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
    if match is None:
        raise ValueError(f"shard {text!r} is not of the form i/n; 2/4 is the second of four")
    shard = int(match[1]), int(match[2])
    require_shard(shard)
    return shard


def require_shard(shard: Sequence[int]) -> None:
    """Refuse what is no pair (i, n) with 1 <= i <= n.

    Raises
    ------
    ValueError
        If it is none.
    """
    if len(shard) != 2 or not 1 <= shard[0] <= shard[1]:
        told = "/".join(map(str, shard))
        raise ValueError(
            f"there is no shard {told}; give i/n with i from 1 to n, such as 1/4 ... 4/4"
        )


def of_shard(blocks: Sequence[Block], shard: tuple[int, int]) -> list[Block]:
    """Return the blocks of the i-th of n shards: every n-th, so that all shards have a like share.

    Raises
    ------
    ValueError
        If there is no such shard.
    """
    require_shard(shard)
    return list(blocks[shard[0] - 1 :: shard[1]])


def require_positive(number: int, name: str) -> None:
    """Refuse what is no whole number of at least 1.

    Raises
    ------
    ValueError
        If it is none; `name` tells which option it was.
    """
    if not isinstance(number, Integral) or isinstance(number, bool) or number < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {number!r}")
