"""Public sparse autoencoders of the models of Kang et al. (2025), by the names of SAELens."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sae_lens import SAE


@dataclass(frozen=True)
class PublicSAE:
    """An autoencoder of the Hugging Face hub that SAELens lists.

    Attributes
    ----------
    model
        Name by which `valuegraph.load_model` knows the model that it reads.
    sae_id
        Its id within the release; also its hook, the output of a layer.
    repository, path
        Where its files lie on the hub.
    neuronpedia
        Its address on Neuronpedia.
    gigabytes
        Size of its weights in float32.
    """

    model: str
    sae_id: str
    repository: str
    path: str
    neuronpedia: str
    gigabytes: float

    @property
    def page(self) -> str:
        """Page of the hub from which its files can be downloaded by hand."""
        return f"https://huggingface.co/{self.repository}/tree/main/{self.path}"


#: The two autoencoders that Kang et al. (2025) steer with. That of Llama was trained on normalised
#: activations: see `valuegraph.steering.activity.fold_activation_norm`.
PUBLIC_SAES = {
    "gemma-2b-it-res-jb": PublicSAE(
        model="gemma-2b-it",
        sae_id="blocks.12.hook_resid_post",
        repository="jbloom/Gemma-2b-IT-Residual-Stream-SAEs",
        path="gemma_2b_it_blocks.12.hook_resid_post_16384",
        neuronpedia="gemma-2b-it/12-res-jb",
        gigabytes=0.27,
    ),
    "llama-3-8b-it-res-jh": PublicSAE(
        model="llama-3-8b-it",
        sae_id="blocks.25.hook_resid_post",
        repository="Juliushanhanhan/llama-3-8b-it-res",
        path="blocks.25.hook_resid_post",
        neuronpedia="llama3-8b-it/25-res-jh",
        gigabytes=2.15,
    ),
}


def load_release(name: str, *, device: str = "cpu") -> SAE:
    """Load a public autoencoder from the hub, or from the hub's cache.

    Parameters
    ----------
    name
        A key of `PUBLIC_SAES`.
    device
        Where to put it.

    Returns
    -------
    sae_lens.SAE
        In float32. Activation norms are left as they are in its files.

    Raises
    ------
    ValueError
        If there is no such release.
    OSError
        If the hub does not hand it out; the message says what to do.
    """
    if name not in PUBLIC_SAES:
        raise ValueError(
            f"unknown release {name!r}; known are {', '.join(PUBLIC_SAES)}. Any other autoencoder "
            "of SAELens can be saved with sae.save_model(folder), and loaded from there"
        )
    public = PUBLIC_SAES[name]
    from huggingface_hub.errors import HTTPError
    from sae_lens import SAE

    try:
        with warnings.catch_warnings():
            # That a norm is not folded is refused later, where it matters.
            warnings.filterwarnings("ignore", message="norm_scaling_factor not found")
            return SAE.from_pretrained(name, public.sae_id, device=device)
    except (HTTPError, OSError) as error:
        raise OSError(
            f"the autoencoder {name} ({public.gigabytes} GB) is not in the cache of the hub, and "
            f"could not be downloaded ({type(error).__name__}). Check the network and "
            "HF_HUB_OFFLINE, and try again; or download cfg.json and sae_weights.safetensors from "
            f"{public.page} by hand, and give their folder to load_sae. The autoencoders of the "
            "organisms need no hub"
        ) from error
