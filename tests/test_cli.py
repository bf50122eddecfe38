"""The command line: what it writes, and that bad input ends in one clear line."""

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

from valuegraph import cli
from valuegraph.answers import score_answers
from valuegraph.organisms.structures import human_structure
from valuegraph.runs.reading import read_run

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


# ---------------------------------------------------------------- runs


@pytest.fixture
def questions(few_items, tmp_path):
    """A CSV file with eight questions on two values."""
    path = tmp_path / "few.csv"
    values = few_items.values.loc[few_items.items["value"]].reset_index(drop=True)
    few_items.items.join(values).to_csv(path, index=False)
    return path


def ask(questions, out, *options):
    """The arguments that ask an organism some questions in four roles."""
    model = ("elicit", "--model", "organism-human", "--inventory", questions)
    return (*model, "--roles", 4, "--block-size", 2, "--out", out, *options)


def said(result):
    assert result.exit_code == 0, result.output
    return " ".join(result.stderr.split())


def test_shards_are_answered_merged_and_scored(questions, tmp_path):
    whole, first, second, out = (tmp_path / name for name in ("whole", "1", "2", "out"))
    assert "holds 4 of 4 cells: 32 answers, none missing" in said(run(*ask(questions, whole)))
    assert "holds 2 of 4 cells" in said(run(*ask(questions, first, "--shard", "1/2")))
    run(*ask(questions, second, "--shard", "2/2"))
    assert "holds 2 of 4 cells; missing: block 1" in said(run("status", first))
    assert "none missing" in said(run("merge", first, second, "--out", out))
    for path in whole.glob("answers-*"):
        assert (out / path.name).read_bytes() == path.read_bytes()
    table = tmp_path / "new" / "scores.csv"
    assert "scores of 4 roles in log-odds" in said(run("scores", out, "--out", table))
    scores = pd.read_csv(table, index_col="role")
    expected = score_answers(read_run(whole))
    pd.testing.assert_frame_equal(scores, expected, check_names=False)
    assert list(scores.columns) == ["SE", "ST"]


def test_roles_formats_and_mode_can_be_chosen(questions, tmp_path):
    (tmp_path / "roles.csv").write_text("name,text\nann,You live alone.\n")
    out = tmp_path / "run"
    said(
        run(
            *("elicit", "--model", "organism-human", "--inventory", questions, "--out", out),
            *("--roles-file", tmp_path / "roles.csv", "--mode", "generate", "--no-think"),
            *("--wording", "say", "--wording", "reply", "--order", "both"),
            *("--max-new-tokens", 2, "--batch-tokens", 300, "--dtype", "float32"),
        )
    )
    answers = read_run(out)
    assert list(answers["role"].unique()) == ["ann"]
    formats = ["say, yes first", "say, no first", "reply, yes first", "reply, no first"]
    assert list(answers["format"].unique()) == formats
    assert answers["text"].str.len().gt(0).all()
    # Generated answers are scored by what was answered, not by log-odds.
    assert "in share of yes less share of no" in said(run("scores", out, "--out", out / "s.csv"))
    assert pd.read_csv(out / "s.csv", index_col="role").abs().le(1).all(axis=None)


def test_personas_can_be_asked(questions, tmp_path, monkeypatch):
    drawn = []

    def note(sweep, out, **options):
        drawn.append(sweep)

    monkeypatch.setattr("valuegraph.runs.sweep.run_sweep", note)
    out = tmp_path / "run"
    said(run(*ask(questions, out, "--role-kind", "persona", "--seed", 3, "--prior", "--jobs", 2)))
    (sweep,) = drawn
    assert sweep.role_names == [f"persona3-{i:04d}" for i in range(4)]
    assert sweep.seeds == (3,) and sweep.prior and sweep.inventory.name == "few"


def test_elicit_goes_on_where_it_was_and_refuses_other_settings(questions, tmp_path, fail):
    out = tmp_path / "run"
    said(run(*ask(questions, out)))
    (out / "answers-000001.parquet").unlink()
    for arguments, message in (
        (("scores", out, "--out", tmp_path / "s.csv"), "holds 2 of 4 cells; missing: block 1;"),
        (ask(questions, out, "--seed", 1), "was begun with other settings: setting in the folder"),
        (ask(questions, out, "--wording", "say"), "formats answer, yes first say, yes first"),
    ):
        assert message in fail(*arguments)
    assert "scores of 2 roles" in said(
        run("scores", out, "--partial", "--out", tmp_path / "s.csv", "--by", "answer")
    )
    assert "4 of 4 cells" in said(run(*ask(questions, out)))


def test_flat_answers_are_scored_only_when_that_is_wanted(questions, tmp_path, fail, monkeypatch):
    out, table = tmp_path / "run", tmp_path / "s.csv"
    said(run(*ask(questions, out)))
    flat = read_run(out).assign(answer=1, log_odds=2.0)
    monkeypatch.setattr("valuegraph.runs.reading.read_run", lambda run, partial: flat)
    message = fail("scores", out, "--out", table)
    assert "no graph should be drawn from these answers" in message and "--flat" in message
    assert not table.exists()
    assert "scores of 4 roles" in said(run("scores", out, "--flat", "--out", table))


def test_ctrl_c_ends_elicit_without_a_traceback(questions, tmp_path, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("valuegraph.runs.sweep.write_block", interrupted)
    stopped = run(*ask(questions, tmp_path / "run"))
    assert stopped.exit_code == 130
    assert "stopped: " in stopped.stderr and "start again with the same" in stopped.stderr
    assert "Traceback" not in stopped.output


@pytest.mark.parametrize(
    "options, message",
    [
        (("--shard", "5/4"), "error: there is no shard 5/4; give i/n with i from 1 to n"),
        (("--shard", "half"), "error: shard 'half' is not of the form i/n"),
        (("--order", "maybe"), "error: unknown order 'maybe'; known are yes-first, no-first, both"),
        (("--wording", "shout"), "error: unknown wording 'shout'"),
        (("--mode", "guess"), "error: unknown mode 'guess'; known are logit, generate"),
        (("--dtype", "int3"), "error: unknown dtype 'int3'"),
        (("--model", "nobody"), "error: unknown model 'nobody'"),
        (("--role-kind", "cat"), "error: unknown kind of roles 'cat'; known are life, persona"),
        (("--roles-file", "nowhere.csv"), "error: give either --roles (how many to draw) or"),
        (("--roles", 0), "error: n is 0"),
        (("--inventory", "nowhere.csv"), "nowhere.csv"),
        (("--inventory", "nowhere"), "error: no inventory is called 'nowhere'"),
        (("--jobs", 0), "error: n_jobs is 0"),
    ],
)
def test_elicit_refuses_in_one_line(questions, tmp_path, fail, options, message):
    told = fail(*ask(questions, tmp_path / "run", *options))
    assert message in told and "Traceback" not in told
    assert not list((tmp_path / "run").glob("*"))


def test_where_there_is_no_run_every_command_says_so(tmp_path, fail):
    nowhere = tmp_path / "nowhere"
    for arguments in (
        ("merge", nowhere, "--out", tmp_path / "out"),
        ("status", nowhere),
        ("scores", nowhere, "--out", tmp_path / "scores.csv"),
    ):
        assert "holds no run: there is no such folder" in fail(*arguments)
