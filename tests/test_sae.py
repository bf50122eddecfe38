"""Autoencoders by name or folder, what they read, and shifts by their features."""

import json
import shutil

import numpy as np
import pytest

import valuegraph.sae
from valuegraph.downloads import PUBLIC_SAES, public_saes
from valuegraph.model_files import HUB_NAMES
from valuegraph.organisms import organism_folder
from valuegraph.sae import (
    CONVENTIONS,
    candidate_pushes,
    describe_sae,
    feature_activity,
    feature_shift,
    fold_activation_norm,
    hook_layer,
    load_sae,
    sae_name,
)

SCALE = 0.25


@pytest.fixture
def sae(small_sae):
    return small_sae()


@pytest.fixture
def normalised(small_sae):
    return small_sae(normalize_activations="expected_average_only_in")


@pytest.fixture
def states():
    """States whose mean norm is sqrt(width) / SCALE."""
    drawn = np.random.default_rng(0).standard_normal((50, 6))
    return drawn * np.sqrt(6) / SCALE / np.linalg.norm(drawn, axis=1).mean()


def by_hand(sae, states, scale=1.0):
    """Activations of the plain autoencoder for states times a scale, and what it misses."""
    names = ("W_enc", "W_dec", "b_enc", "b_dec")
    w_enc, w_dec, b_enc, b_dec = (getattr(sae, n).detach().numpy().astype(float) for n in names)
    activity = np.maximum((scale * states - b_dec) @ w_enc + b_enc, 0)
    error = states - (activity @ w_dec + b_dec) / scale
    return activity, (error**2).sum() / ((states - states.mean(0)) ** 2).sum()


def test_an_organism_has_its_own_autoencoder():
    sae = load_sae("organism-human")
    assert (sae_name(sae), hook_layer(sae), sae.cfg.d_in) == ("organism-human", 2, 96)


def test_a_folder_of_an_older_version_is_read(sae, tmp_path):
    """The two public autoencoders were saved before SAELens 6, with other names of options."""
    sae.save_model(tmp_path)
    old = {
        "model_name": "gemma-2b-it",
        "hook_point": "blocks.12.hook_resid_post",
        "d_in": 6,
        "d_sae": 4,
        "dtype": "float32",
        "device": "cpu",
        "normalize_activations": "expected_average_only_in",
    }
    (tmp_path / "cfg.json").write_text(json.dumps(old))
    again = load_sae(str(tmp_path))
    assert hook_layer(again) == 12
    assert again.cfg.normalize_activations == "expected_average_only_in"
    assert np.array_equal(again.W_dec.detach(), sae.W_dec.detach())


def test_what_is_no_autoencoder_is_refused_with_what_works(tmp_path):
    for source in ("gemma", "owner/name", "organism-plain", "nowhere/at/all"):
        with pytest.raises(FileNotFoundError, match="organism-human.*SAE.from_pretrained") as told:
            load_sae(source)
        assert f"no autoencoder {source!r}" in str(told.value)
    with pytest.raises(FileNotFoundError, match="nor a folder with cfg.json"):
        load_sae(tmp_path)


def test_public_autoencoders_are_those_of_the_list_of_sae_lens():
    from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

    listed, table = get_pretrained_saes_directory(), public_saes()
    assert set(table["release"]) == set(PUBLIC_SAES)
    assert all(row.sae_id in listed[row.release].saes_map for row in table.itertuples())
    assert table["source"].is_unique and table["model"].str.contains("(?i)-it$|instruct|r1").all()
    # Layers and widths are taken from the names; pages of Neuronpedia tell them once more.
    pages = table.dropna(subset="neuronpedia")
    assert (pages["neuronpedia"].str.extract(r"/(\d+)-")[0].astype(int) == pages["layer"]).all()
    twice = pages[pages["sae_id"].str.contains("width")]
    assert len(twice) > 30
    assert all(row.neuronpedia.endswith(f"-{row.width}") for row in twice.itertuples())


@pytest.mark.parametrize(
    ("model", "release", "layers", "width"),
    [
        ("gemma-2b-it", "gemma-2b-it-res-jb", {12}, None),
        ("llama-3-8b-it", "llama-3-8b-it-res-jh", {25}, None),
        ("google/gemma-3-1b-it", "gemma-scope-2-1b-it-res", {7, 13, 17, 22}, "262k"),
        ("here/gemma-2-9b-it", "gemma-scope-9b-it-res-canonical", {9, 20, 31}, "131k"),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", "goodfire-llama-3.1-8b-instruct", {19}, None),
        (
            "deepseek-ai/DeepSeek-R1-Distill-Llama-8B",
            "llama_scope_r1_distill",
            set(range(32)),
            "32k",
        ),
    ],
)
def test_a_model_finds_its_autoencoders_under_any_of_its_names(model, release, layers, width):
    table = public_saes(model)
    if model in HUB_NAMES:
        assert table.equals(public_saes(HUB_NAMES[model]))
    table = table[table["release"] == release]
    assert set(table["layer"]) == layers
    assert width is None or width in set(table["width"])
    assert public_saes("owner/model").empty


def test_a_source_names_one_autoencoder_of_a_release(sae, monkeypatch):
    import sae_lens

    asked = []
    found = staticmethod(lambda *source, device: asked.append(source) or sae)
    monkeypatch.setattr(sae_lens.SAE, "from_pretrained", found)
    twin = "layer_13_width_262k_l0_medium_seed_1"
    for source in ("gemma-2b-it-res-jb", f"gemma-scope-2-1b-it-res/{twin}"):
        assert sae_name(load_sae(source)) == source
    jb = ("gemma-2b-it-res-jb", "blocks.12.hook_resid_post")
    assert asked == [jb, ("gemma-scope-2-1b-it-res", twin)]
    for source, n in (("gemma-scope-2-1b-it-res", 52), ("gemma-2b-it-res-jb/layer_3", 0)):
        with pytest.raises(ValueError, match=f"names {n} autoencoders.*public_saes"):
            load_sae(source)


def test_without_network_the_error_tells_what_to_do(monkeypatch, tmp_path):
    import huggingface_hub.constants as hub

    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(OSError, match=r"gemma-2b-it-res-jb cannot be downloaded; .*HF_HUB_OFFLINE"):
        load_sae("gemma-2b-it-res-jb")


@pytest.mark.parametrize(("hook", "layer"), [("resid_post", 3), ("resid_pre", 2)])
def test_the_layer_is_that_whose_output_is_read(sae, hook, layer):
    sae.cfg.metadata.hook_name = f"blocks.3.hook_{hook}"
    assert hook_layer(sae) == layer == feature_shift(sae, 0, coefficient=1).layer


def test_a_hook_by_another_name_needs_a_layer(sae):
    sae.cfg.metadata.hook_name = "model.layers.3"
    with pytest.raises(ValueError, match="hook_name = 'blocks.N.hook_resid_post'"):
        feature_shift(sae, 0, coefficient=1)
    assert feature_shift(sae, 0, coefficient=1, layer=3).layer == 3


@pytest.mark.parametrize(
    "hook",
    ["blocks.3.hook_mlp_out", "blocks.3.ln2.hook_normalized", "blocks.3.attn.hook_z"]
    + ["blocks.3.hook_resid_mid", "blocks.0.hook_resid_pre", "model.layers.3.mlp", "hook_embed"],
)
def test_what_reads_no_output_of_a_layer_is_refused_whatever_the_layer(sae, states, hook):
    sae.cfg.metadata.hook_name = hook
    for use in (
        lambda: feature_shift(sae, 0, coefficient=1, layer=3),
        lambda: feature_activity(sae, states),
        lambda: hook_layer(sae),
    ):
        with pytest.raises(ValueError, match=f"reads {hook}, not the output of a layer; take one"):
            use()


def test_the_number_of_a_pre_hook_is_not_taken_for_its_layer(sae):
    sae.cfg.metadata.hook_name = "blocks.3.hook_resid_pre"
    with pytest.raises(ValueError, match="hook_resid_pre is the output of layer 2; pass that"):
        feature_shift(sae, 0, coefficient=1, layer=3)
    assert feature_shift(sae, 0, coefficient=1, layer=2).name == "feature 0 x 1"
    assert feature_shift(sae, 0, coefficient=1, layer=4).name == "feature 0 x 1, layer 4"


def test_shift_is_the_coefficient_times_the_row(sae):
    row = sae.W_dec[3].detach().numpy()
    raw = feature_shift(sae, 3, coefficient=-2.5)
    unit = feature_shift(sae, 3, coefficient=-2.5, convention="unit")
    assert raw.layer == unit.layer == 2
    assert np.allclose(raw.vector, -2.5 * row)
    assert np.allclose(unit.vector, raw.vector / np.linalg.norm(row))
    assert np.linalg.norm(unit.vector) == pytest.approx(2.5)
    assert {raw.origin["convention"], unit.origin["convention"]} == set(CONVENTIONS)
    sae.W_dec.data.zero_()
    assert raw.vector.any()  # the row was copied


def test_the_name_tells_what_is_not_the_default(sae):
    shift = feature_shift(sae, 1, coefficient=2, layer=0, where="prompt", convention="unit")
    assert shift.name == "feature 1 x 2 unit, layer 0, prompt"
    assert (shift.layer, shift.where, shift.origin["feature"]) == (0, "prompt", 1)
    assert feature_shift(sae, 1, coefficient=2, layer=2).name == "feature 1 x 2"


def test_activity_and_description_are_those_of_the_formula(sae, states):
    activity, missed = by_hand(sae, states)
    assert np.allclose(feature_activity(sae, states), activity, rtol=1e-4, atol=1e-4)
    found = describe_sae(sae, states)
    assert found["unexplained"] == pytest.approx(missed, rel=1e-4)
    assert (found["layer"], found["width"], found["features"]) == (2, 6, 4)
    assert found["l0"] == pytest.approx((activity > 0).sum() / len(states))
    assert found["alive"] == (activity > 0).any(axis=0).sum()
    assert found["row_norm"] == pytest.approx(np.linalg.norm(sae.W_dec.detach(), axis=1).mean())


@pytest.mark.filterwarnings("ignore:.*of the variance")  # the weights are random
def test_states_are_encoded_in_pieces_with_the_same_result(sae, states, monkeypatch):
    whole, facts = feature_activity(sae, states), describe_sae(sae, states)
    table, _ = candidate_pushes(sae, states)
    read = []
    encode = sae.encode
    monkeypatch.setattr(sae, "encode", lambda x: read.append(len(x)) or encode(x))
    monkeypatch.setattr(valuegraph.sae, "PIECE", 4 * 7)  # seven states of four features
    assert np.allclose(feature_activity(sae, states), whole, rtol=1e-5, atol=1e-6)
    assert read == [7] * 7 + [1]
    assert np.allclose(feature_activity(sae, states, [3, 1]), whole[:, [3, 1]], rtol=1e-5)
    again = describe_sae(sae, states)
    assert again.pop("name") == facts.pop("name") and again == pytest.approx(facts, rel=1e-5)
    again, _ = candidate_pushes(sae, states)
    assert np.allclose(again["coefficient"], table["coefficient"], rtol=1e-5)
    assert max(read) == 7


def test_too_much_activity_is_refused_but_not_that_of_some_features(sae, states, monkeypatch):
    monkeypatch.setattr(valuegraph.sae, "WHOLE", 50 * 4 - 1)
    with pytest.raises(MemoryError, match="GB; pass features="):
        feature_activity(sae, states)
    assert feature_activity(sae, states, [2]).shape == (50, 1)


def test_an_autoencoder_that_is_worse_than_the_mean_says_so(sae, states):
    missed = describe_sae(sae, states)["unexplained"]
    assert missed > 1
    with pytest.warns(UserWarning, match=f"misses {missed:.0%} of the variance.*of this layer"):
        candidate_pushes(sae, states)


KINDS = {
    "StandardSAE": {},
    "JumpReLUSAE": {},
    "GatedSAE": {},
    "TopKSAE": {"k": 2},
    "TopKSAE, rows of length 1": {"k": 2, "rescale_acts_by_decoder_norm": True},
    "BatchTopKTrainingSAE": {"k": 2, "rescale_acts_by_decoder_norm": False},
}


@pytest.fixture(params=KINDS)
def kind(request, tmp_path):
    """An autoencoder of each kind with random weights, as SAELens saves it, and as we load it."""
    import sae_lens
    import torch
    from sae_lens.saes.sae import SAEMetadata

    name = request.param.partition(",")[0]
    metadata = SAEMetadata(hook_name="blocks.2.hook_resid_post")
    config = getattr(sae_lens, f"{name}Config")
    own = getattr(sae_lens, name)(
        config(d_in=6, d_sae=9, metadata=metadata, **KINDS[request.param])
    )
    generator = torch.Generator().manual_seed(1)
    for weights in own.parameters():
        weights.data = torch.randn(weights.shape, generator=generator)
    if name == "JumpReLUSAE":
        own.threshold.data.abs_()
    if name == "BatchTopKTrainingSAE":
        own.topk_threshold.fill_(0.7)
        own.save_inference_model(tmp_path)
        return sae_lens.SAE.load_from_disk(tmp_path), load_sae(tmp_path)
    own.save_model(tmp_path)
    return own, load_sae(tmp_path)


def test_every_kind_is_read_and_pushed_as_sae_lens_reads_and_writes_it(kind, states):
    import torch

    own, sae = kind
    x = torch.tensor(states, dtype=torch.float32)
    active = own.encode(x).detach()
    assert 0.1 < (active > 0).float().mean() < 0.9
    assert np.allclose(feature_activity(sae, states), active, rtol=1e-5, atol=1e-6)
    nothing = own.decode(torch.zeros(1, 9))
    for feature in range(9):
        alone = torch.zeros(1, 9).index_fill(1, torch.tensor([feature]), 2.5)
        wanted = (own.decode(alone) - nothing).detach().numpy()[0]
        push = feature_shift(sae, feature, coefficient=2.5)
        assert np.allclose(push.vector, wanted, rtol=1e-4, atol=1e-5)
    missed = (x - own.decode(active)).square().sum() / (x - x.mean(0)).square().sum()
    assert describe_sae(sae, states)["unexplained"] == pytest.approx(
        float(missed.detach()), rel=1e-4
    )


def test_folding_equals_scaling_the_states_by_hand(normalised, states, tmp_path):
    activity, missed = by_hand(normalised, states, SCALE)
    before = 100 * normalised.W_dec[2].detach().numpy().copy()
    folded = fold_activation_norm(normalised, states)
    assert np.allclose(feature_activity(folded, states), activity, rtol=1e-4, atol=1e-5)
    assert describe_sae(folded, states)["unexplained"] == pytest.approx(missed, rel=1e-4)
    # A coefficient means something else afterwards.
    assert np.allclose(feature_shift(folded, 2, coefficient=100).vector, before / SCALE, rtol=1e-5)
    folded.save_model(tmp_path)
    again = load_sae(tmp_path)
    assert again.cfg.metadata.activation_norm == pytest.approx(SCALE)
    assert np.array_equal(feature_activity(again, states), feature_activity(folded, states))


@pytest.mark.parametrize(
    ("how", "way"),
    [("expected_average_only_in", "call fold_activation_norm"), ("layer_norm", "take another")],
)
def test_nothing_is_read_in_other_units_than_the_model_s(small_sae, states, how, way):
    sae = small_sae(normalize_activations=how)
    with pytest.raises(ValueError, match=way):
        feature_activity(sae, states)
    with pytest.raises(ValueError, match=way):
        feature_shift(sae, 0, coefficient=1)


def test_what_does_not_fit_is_refused(sae, states):
    for feature in (-1, 4):
        with pytest.raises(ValueError, match=f"is {feature}; a whole number of 0 to 3"):
            feature_shift(sae, feature, coefficient=1)
    with pytest.raises(ValueError, match="unknown convention 'row'; known are raw row, unit"):
        feature_shift(sae, 0, coefficient=1, convention="row")
    with pytest.raises(ValueError, match=r"shape \(n, 6\); got \(50, 5\)"):
        feature_activity(sae, states[:, :5])
    with pytest.raises(ValueError, match="no activation norm"):
        fold_activation_norm(sae, states)


def test_an_autoencoder_with_a_number_that_is_none_or_half_a_file_is_refused(tmp_path):
    shutil.copytree(organism_folder("organism-human") / "sae", tmp_path / "sae")
    weights = tmp_path / "sae" / "sae_weights.safetensors"
    raw = bytearray(weights.read_bytes())
    size = int.from_bytes(raw[:8], "little")  # of a table of the tensors, before their numbers
    start = 8 + size + json.loads(raw[8 : 8 + size])["W_dec"]["data_offsets"][0]
    raw[start : start + 4] = np.float32("nan").tobytes()
    weights.write_bytes(raw)
    with pytest.raises(ValueError, match="numbers in W_dec that are not finite"):
        load_sae(tmp_path / "sae")
    weights.write_bytes(b"half")
    with pytest.raises(ValueError, match="cannot be loaded: SafetensorError"):
        load_sae(tmp_path / "sae")


def test_only_features_that_exist_and_finite_states_are_read(sae, states):
    for features in ([-1], [4], [1.5], [True]):
        with pytest.raises(ValueError, match="a whole number of 0 to 3 is needed"):
            feature_activity(sae, states, features)
    with pytest.raises(ValueError, match="reads finite states"):
        feature_activity(sae, states * np.nan)
