"""The command line: what it writes, and that bad input ends in one clear line."""

import json

import pytest
from typer.testing import CliRunner

from valuegraph import cli
from valuegraph.organisms.structures import human_structure

runner = CliRunner()


def run(*arguments):
    return runner.invoke(cli.app, [str(a) for a in arguments])


@pytest.fixture
def fail(monkeypatch, capsys):
    """Run the program as a user would, and return what it says when it fails."""

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["valuegraph", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        assert stop.value.code not in (0, None)
        return " ".join(capsys.readouterr().err.split())

    return call


def test_train_writes_an_organism_that_loads_and_a_second_call_keeps_it(tmp_path):
    arguments = ("organism", "train", "--scm", "human", "--plain", "--steps", 2, "--out", tmp_path)
    assert run(*arguments).exit_code == 0
    written = {f.name for f in tmp_path.iterdir()}
    assert {"model.safetensors", "tokenizer.json", "structure.json", "training.json"} <= written
    assert "checkpoint.pt" not in written
    weights = (tmp_path / "model.safetensors").read_bytes()
    record = json.loads((tmp_path / "training.json").read_text())
    assert record["recipe"]["steps"] == 2 and record["recipe"]["interchange"] is False
    assert run(*arguments).exit_code == 0
    assert (tmp_path / "model.safetensors").read_bytes() == weights


def test_train_takes_a_structure_from_a_file_and_refuses_to_mix_two(tmp_path, fail):
    structure = tmp_path / "mine.json"
    human_structure().save(structure)
    arguments = ("organism", "train", "--plain", "--steps", 1, "--out", tmp_path / "o")
    assert run(*arguments, "--scm", structure).exit_code == 0
    assert "another structure" in fail(*arguments, "--scm", "alien")
    assert "another seed" in fail(*arguments, "--scm", structure, "--seed", 1)


def test_bad_input_names_the_value_and_the_way_out(fail, tmp_path, monkeypatch):
    out = tmp_path / "out.json"
    assert "no structure 'martian': give human or alien" in fail(
        "organism", "train", "--scm", "martian", "--out", tmp_path / "o"
    )
    assert "no organism 'organism-x'" in fail("organism", "check", "organism-x", "--json", out)
    assert "steps must be at least 1, got 0" in fail(
        "organism", "train", "--scm", "human", "--steps", 0, "--out", tmp_path / "o"
    )
    monkeypatch.setenv("VALUEGRAPH_DATA", str(tmp_path))
    assert "VALUEGRAPH_DATA" in fail("reproduce", "--model", "gemma", "--out", out)
    assert "gpt" in fail("reproduce", "--model", "gpt", "--out", out)
    assert not out.exists()
