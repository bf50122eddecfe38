"""Shifts of the rows of a batch: each row has its own, at its own layers and places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from transformers import PreTrainedModel

from valuegraph.hooks import shifted
from valuegraph.interventions import Shift


class RowShifts:
    """What is added to the rows of a batch.

    Parameters
    ----------
    shifts
        Those of each row; several of one row at one layer and place add up.
    device
        Where the vectors are put.
    """

    def __init__(self, shifts: Sequence[Sequence[Shift]], device: torch.device) -> None:
        self._vectors: dict[tuple[int, str], torch.Tensor] = {}  # by layer and place: (rows, width)
        for row, of_row in enumerate(shifts):
            for shift in of_row:
                nothing = torch.zeros(len(shifts), len(shift.vector))
                vectors = self._vectors.setdefault((shift.layer, shift.where), nothing)
                vectors[row] += torch.from_numpy(shift.vector)
        self._vectors = {at: vectors.to(device) for at, vectors in self._vectors.items()}

    def take(self, rows: torch.Tensor) -> RowShifts:
        """Return the shifts of some rows, in any order and any number of times."""
        taken = RowShifts((), rows.device)
        taken._vectors = {at: vectors[rows] for at, vectors in self._vectors.items()}
        return taken

    @contextmanager
    def acting(self, model: PreTrainedModel, places: Mapping[str, torch.Tensor]) -> Iterator[None]:
        """Let the shifts act as long as the context lasts.

        Parameters
        ----------
        model
            The model whose forward passes are changed.
        places
            The tokens of each place, boolean, shape ``(rows, tokens)``. Shifts of a place that is
            not among them do not act.
        """
        with ExitStack() as stack:
            for (layer, where), vectors in self._vectors.items():
                if where in places:
                    stack.enter_context(shifted(model, layer, vectors, places[where]))
            yield


def tokens_of_places(
    mask: torch.Tensor, sites: Sequence[range] | None = None
) -> dict[str, torch.Tensor]:
    """Tell which tokens of some prompts belong to each place.

    Parameters
    ----------
    mask
        Which columns hold a token, boolean, shape ``(rows, columns)``; padding is on the left.
    sites
        Tokens of the site in each row's text; without them the rows have no site.

    Returns
    -------
    dict of str to torch.Tensor
        By place (a key of `valuegraph.interventions.PLACES`), boolean, shape ``(rows, columns)``.
    """
    places = {"prompt": mask, "everywhere": mask}
    if sites:
        padding = (~mask).sum(1, keepdim=True)
        place = torch.arange(mask.shape[1], device=mask.device) - padding
        ends = np.array([(site[0], site[-1]) for site in sites])
        first, last = torch.from_numpy(ends).to(mask.device)[..., None].unbind(1)
        places["site"] = (first <= place) & (place <= last)
        places["site-end"] = place == last
    return places
