"""Standing in: the model asked for where it can be had, else an organism, and why."""

import pytest

from valuegraph import stand_in
from valuegraph.gpus import COLAB_GPUS, Gpu
from valuegraph.models import load_model
from valuegraph.runs.plan import ModelSource
from valuegraph.stand_in import respondent_or_organism

T4, L4, _ = COLAB_GPUS


@pytest.fixture
def machine(monkeypatch):
    """Pretends a GPU, or none; what is loaded is noted, and an organism is returned."""
    loaded = []

    def pretend(gpu, fails=None):
        def load(source):
            loaded.append(source)
            if fails is not None and not source.name.startswith("organism"):
                raise fails
            return load_model("organism-human")

        monkeypatch.setattr(stand_in, "this_gpu", lambda: gpu)
        monkeypatch.setattr(ModelSource, "load", load)
        return loaded

    return pretend


def test_an_organism_that_was_asked_for_stands_in_for_nobody():
    found = respondent_or_organism("organism-alien", organism="organism-human")
    assert (found.name, found.respondent.name) == ("organism-alien", "organism-alien")
    assert found.is_organism and found.reason == "" and found.sae == "organism-alien"
    assert str(found).startswith("organism-alien: ") and "Every figure" not in str(found)


def test_without_a_gpu_nothing_is_fetched_and_the_reason_is_told(machine):
    loaded = machine(None)
    found = respondent_or_organism("gemma-2b-it", organism="organism-human")
    assert loaded == [ModelSource("organism-human")]
    assert (found.wanted, found.name) == ("gemma-2b-it", "organism-human")
    assert "no CUDA GPU" in found.reason and found.reason.endswith(".")
    told = str(found)
    assert told.startswith("gemma-2b-it does not answer here.\nThis machine has no CUDA GPU")
    assert told.endswith("Every figure below is of organism-human.")


def test_insisting_asks_a_cpu(machine):
    loaded = machine(None)
    found = respondent_or_organism("gemma-2b-it", insist=True)
    assert loaded == [ModelSource("gemma-2b-it")]
    assert (found.name, found.reason, found.sae) == ("gemma-2b-it", "", "gemma-2b-it-res-jb")
    assert not found.is_organism


@pytest.mark.parametrize(
    ("name", "gpu", "quantize"),
    [
        ("gemma-2b-it", T4, None),
        ("llama-3-8b-it", T4, "4bit"),
        ("llama-3-8b-it", L4, None),
    ],
)
def test_a_model_is_loaded_as_it_fits(machine, name, gpu, quantize):
    loaded = machine(gpu)
    assert respondent_or_organism(name).source == ModelSource(name, "cuda", quantize=quantize)
    assert respondent_or_organism(name, quantize="8bit").source.quantize == "8bit"
    assert respondent_or_organism(name, quantize=None).source.quantize is None
    assert len(loaded) == 3


@pytest.mark.parametrize("failure", [OSError("gated: sign in"), MemoryError("x"), ImportError("y")])
def test_what_cannot_be_had_is_replaced_unless_insisted_on(machine, failure):
    loaded = machine(T4, fails=failure)
    found = respondent_or_organism("llama-3-8b-it", organism="organism-alien")
    assert [source.name for source in loaded] == ["llama-3-8b-it", "organism-alien"]
    assert found.reason.lower() == f"{failure}.".lower() and found.is_organism
    with pytest.raises(type(failure)):
        respondent_or_organism("llama-3-8b-it", insist=True)


def test_what_does_not_fit_is_told_before_it_is_fetched(machine):
    loaded = machine(Gpu("tiny", 4 * 10**9))
    assert "tiny has 4.0 GB free" in respondent_or_organism("llama-3-8b-it").reason
    assert [source.name for source in loaded] == ["organism-human"]


@pytest.mark.parametrize("failure", [ValueError("unknown model"), FileNotFoundError("no folder")])
def test_mistakes_are_not_papered_over(machine, failure):
    machine(T4, fails=failure)
    with pytest.raises(type(failure)):
        respondent_or_organism("gemma-2b-it")


def test_only_organisms_stand_in():
    with pytest.raises(ValueError, match="'gemma-2b-it' is no organism"):
        respondent_or_organism("llama-3-8b-it", organism="gemma-2b-it")


def test_a_model_without_a_public_autoencoder_has_none(machine):
    machine(None)
    assert respondent_or_organism("owner/model", insist=True).sae is None
