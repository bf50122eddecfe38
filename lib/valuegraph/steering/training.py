"""Training a sparse autoencoder on states of the site."""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from sae_lens import SAE


def train_sae(
    states: np.ndarray, *, d_sae: int, l1: float, layer: int, samples: int, seed: int
) -> SAE:
    """Train a standard sparse autoencoder (ReLU with an L1 penalty) on states of the site.

    Parameters
    ----------
    states
        States to learn from, shape ``(n, width)``.
    d_sae
        Number of features.
    l1
        Weight of the penalty on activations, against the squared error summed over coordinates.
    layer
        Layer whose output the states are; it is written into the autoencoder's metadata.
    samples
        States drawn in training, with repetition.
    seed
        Of the initial weights and of the order of the states.

    Returns
    -------
    sae_lens.SAE
        The trained autoencoder, ready for use.

    Raises
    ------
    ValueError
        If the states are not a finite matrix, there is no feature, or the penalty is negative.
    """
    if states.ndim != 2 or not np.isfinite(states).all():
        raise ValueError(f"states must be a finite matrix (n, width), got shape {states.shape}")
    if d_sae < 1 or l1 < 0:
        raise ValueError(f"d_sae must be at least 1 and l1 at least 0, got {d_sae} and {l1}")
    from sae_lens import (
        SAE,
        LoggingConfig,
        SAETrainer,
        StandardTrainingSAE,
        StandardTrainingSAEConfig,
    )
    from sae_lens.config import SAETrainerConfig
    from sae_lens.saes.sae import SAEMetadata

    batch = 1024
    steps = max(1, samples // batch)
    with torch.random.fork_rng(), warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        trainee = StandardTrainingSAE(
            StandardTrainingSAEConfig(
                d_in=states.shape[1],
                d_sae=d_sae,
                l1_coefficient=l1,
                l1_warm_up_steps=steps // 10,
                device="cpu",
                metadata=SAEMetadata(hook_name=f"blocks.{layer}.hook_resid_post"),
            )
        )
        # Starting at the mean spares the features from learning what all states share.
        trainee.b_dec.data = torch.from_numpy(states.mean(axis=0)).float()
        trained = SAETrainer(
            cfg=SAETrainerConfig(
                total_training_samples=steps * batch,
                train_batch_size_samples=batch,
                lr=2e-3,
                lr_end=2e-4,
                lr_warm_up_steps=steps // 20,
                lr_decay_steps=steps // 2,
                logger=LoggingConfig(log_to_wandb=False),
            ),
            sae=trainee,
            data_provider=_endless(torch.from_numpy(states).float(), batch, seed),
        ).fit()
        with tempfile.TemporaryDirectory() as folder:
            trained.save_inference_model(folder)
            return SAE.load_from_disk(folder, device="cpu")


def _endless(states: torch.Tensor, batch: int, seed: int) -> Iterator[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield states[torch.randint(len(states), (batch,), generator=generator)]


def _quiet() -> contextlib.AbstractContextManager:
    # SAELens' own progress bar goes to standard error whatever one asks.
    return contextlib.redirect_stderr(io.StringIO())
