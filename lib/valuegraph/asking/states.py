"""The residual stream at the steering site, by role."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from valuegraph.asking.encoding import encode_prompts, pad_left
from valuegraph.asking.prompts import PromptFormat
from valuegraph.hooks import decoder_layer, recorded
from valuegraph.models import Respondent
from valuegraph.roles import Role


@torch.inference_mode()
def site_states(
    respondent: Respondent,
    roles: Sequence[Role | None],
    *,
    layer: int,
    fmt: PromptFormat | None = None,
    batch_size: int = 64,
) -> np.ndarray:
    """Read the residual stream at the site's last token.

    Parameters
    ----------
    respondent
        Whom to ask.
    roles
        Who the respondent is asked to be; None for itself.
    layer
        After which layer, counted from 0.
    fmt
        How the question would be put; by default the plain instruction, yes named first.
    batch_size
        How many roles are run at a time; the result does not depend on it.

    Returns
    -------
    numpy.ndarray
        Shape ``(len(roles), width)``, in the order of `roles`.

    Raises
    ------
    ValueError
        If there are no roles, the layer does not exist or `batch_size` is less than 1.
    """
    decoder_layer(respondent.model, layer)  # refuses a layer that does not exist
    if not len(roles):
        raise ValueError("no roles given; give at least one (None stands for no role)")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    prompts = encode_prompts(
        respondent, ["Would you?"], roles, fmt=fmt or PromptFormat(), prefill="", find_sites=True
    )
    states = []
    for start in range(0, len(roles), batch_size):
        padded = pad_left(prompts.prefixes[start : start + batch_size], respondent.device)
        with recorded(respondent.model, layer) as outputs:
            respondent.model.base_model(
                input_ids=padded.ids,
                attention_mask=padded.mask.long(),
                position_ids=padded.positions,
            )
        sites = torch.tensor(prompts.sites[start : start + batch_size], device=respondent.device)
        columns = (~padded.mask).sum(1) + sites
        states.append(outputs[0][torch.arange(len(columns)), columns].float().cpu().numpy())
    return np.concatenate(states)
