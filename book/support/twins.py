"""Twins of autoencoders: trained alike on the same states, from another seed.

Gemma Scope 2 has them under a ``sae_id`` that ends on ``_seed_1``, and the organisms in a folder of
that name. A feature that comes back from another seed is found in the model; one that does not is
owed to this training run. The same push along the twin's row is its control.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from valuegraph.interventions import Shift
from valuegraph.pushes import with_norm
from valuegraph.sae import feature_activity, hook_layer, sae_name


def match_twins(sae, twin, features: Iterable[int], states=None) -> pd.DataFrame:
    """Find for some features the most similar feature of another autoencoder.

    Parameters
    ----------
    sae, twin : sae_lens.SAE
        Of the same layer.
    features
        Numbers of features of `sae`. Of 262,144 compare those that are active on your texts.
    states : numpy.ndarray, optional
        States of their layer, shape ``(n, width)``.

    Returns
    -------
    pandas.DataFrame
        One row for each: ``feature``; ``twin``, the feature of `twin` whose decoder row has the
        largest cosine with its own; ``cosine``; with `states`, ``correlation`` of both activities
        (NaN where one of them never varies).
    """
    if hook_layer(sae) != hook_layer(twin) or sae.cfg.d_in != twin.cfg.d_in:
        raise ValueError(f"{sae_name(sae)} and {sae_name(twin)} read different states")
    features = list(features)
    rows, others = sae.W_dec[features].detach().float(), twin.W_dec.detach().float()
    rows, others = (x / x.norm(dim=1, keepdim=True) for x in (rows, others))
    cosine, best = (rows @ others.T).max(dim=1)
    best = best.tolist()
    table = pd.DataFrame({"feature": features, "twin": best, "cosine": cosine.tolist()})
    if states is not None:
        own, other = feature_activity(sae, states, features), feature_activity(twin, states, best)
        with np.errstate(invalid="ignore", divide="ignore"):
            own, other = ((x - x.mean(0)) / x.std(0) for x in (own, other))
        table["correlation"] = (own * other).mean(0)
    return table


def twin_pushes(pushes: Sequence[Shift], matched: pd.DataFrame, twin) -> list[Shift]:
    """Make each push of a feature along the row of its twin, as long as it is and where it acts.

    Parameters
    ----------
    pushes
        From `valuegraph.feature_shift` or `valuegraph.sae.candidate_pushes`.
    matched, twin
        Table of `match_twins`, and the autoencoder that it found twins in.
    """
    of, made = dict(zip(matched["feature"], matched["twin"], strict=True)), []
    for push in pushes:
        row = twin.W_dec[of[push.origin["feature"]]].detach().float().cpu().numpy()
        length = np.copysign(np.linalg.norm(push.vector), push.origin["coefficient"])
        origin = push.origin | {"sae": sae_name(twin), "control": "twin"}
        vector = with_norm(row, length)
        made.append(replace(push, name=f"{push.name}, twin", vector=vector, origin=origin))
    return made
