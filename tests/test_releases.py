"""Public autoencoders: what is written down here is what SAELens' list says."""

import pytest

from valuegraph.loading import HUB_NAMES
from valuegraph.steering.releases import PUBLIC_SAES, load_release
from valuegraph.steering.sae import load_sae


@pytest.mark.parametrize("name", PUBLIC_SAES)
def test_table_agrees_with_the_list_of_sae_lens(name):
    from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

    public, listed = PUBLIC_SAES[name], get_pretrained_saes_directory()[name]
    assert listed.repo_id == public.repository
    assert listed.saes_map[public.sae_id] == public.path
    assert listed.neuronpedia_id[public.sae_id] == public.neuronpedia
    assert public.model in HUB_NAMES


def test_public_names_are_loaded_as_such(small_sae, monkeypatch):
    from sae_lens import SAE

    def from_pretrained(release, sae_id, device):
        assert (sae_id, device) == ("blocks.12.hook_resid_post", "cpu")
        return small_sae()

    monkeypatch.setattr(SAE, "from_pretrained", staticmethod(from_pretrained))
    assert load_sae("gemma-2b-it-res-jb").cfg.metadata.source == "gemma-2b-it-res-jb"


def test_without_network_the_error_tells_what_to_do(monkeypatch, tmp_path):
    """The hub's own client, offline and with an empty cache."""
    import huggingface_hub.constants as hub

    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        OSError,
        match=r"could not be downloaded \(LocalEntryNotFound.*huggingface\.co/jbloom.*load_sae",
    ):
        load_sae("gemma-2b-it-res-jb")


def test_unknown_release_is_refused():
    with pytest.raises(ValueError, match="unknown release 'gemma-scope'; known are gemma-2b-it-"):
        load_release("gemma-scope")
