"""Commands of the studies, their stored results, and the models that scores are simulated from."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from studies import SimulatedModel, cli, load_calibration, load_study, random_model
from studies.stored import CALIBRATION, STUDIES
from valuegraph.pc import reachable

# ---------------------------------------------------------------- commands


@pytest.fixture
def fail(monkeypatch, capsys):
    """Run the program as a user would, and return what it prints when it fails."""

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["valuegraph-studies", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        assert stop.value.code not in (0, None)
        return " ".join(capsys.readouterr().err.split())

    return call


def test_reproduce_writes_figures(tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "reproduce", lambda model: {"model": model})
    out = tmp_path / "new" / "out.json"
    result = CliRunner().invoke(cli.app, ["reproduce", "--model", "gemma", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert json.loads(out.read_text()) == {"model": "gemma"}


def test_bad_input_ends_in_one_line_that_names_the_value(fail, tmp_path):
    out = tmp_path / "out.json"
    message = fail("reproduce", "--model", "gpt", "--out", out)
    assert "error: unknown model 'gpt'" in message and "Traceback" not in message
    assert not out.exists()
    assert "no structure 'martian': give human" in fail(
        "organism", "train", "--scm", "martian", "--out", tmp_path / "o"
    )


def test_commands_of_organisms_are_mounted():
    text = CliRunner().invoke(cli.app, ["organism", "--help"]).output
    assert all(command in text for command in ("train", "check", "card"))


# ---------------------------------------------------------------- stored results


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_has_its_table(name):
    assert len(load_study(name))


@pytest.mark.parametrize("name", CALIBRATION)
def test_every_calibration_has_its_table(name):
    assert len(load_calibration(name))


def test_unknown_names_get_the_known_ones():
    with pytest.raises(ValueError, match="unknown table 'verdict'.*'verdicts'"):
        load_study("verdict")
    with pytest.raises(ValueError, match="unknown table 'model'.*'models'"):
        load_calibration("model")


def test_verdicts_are_right_in_nine_of_ten_seeds_at_two_thousand_roles():
    table = load_study("verdicts").query("treatment == 'raw'").set_index(["respondent", "n"])
    for organism, verdict in (("organism-human", "inside"), ("organism-alien", "outside")):
        row = table.loc[(organism, 2000)]
        assert row["runs"] >= 10 and row[verdict] >= 0.9 * row["runs"]
        assert row[f"median_p_{verdict}"] < 0.01


def test_people_are_rarely_outside_and_nothing_without_structure_is_inside():
    table = load_study("verdicts")
    people = table[table["kind"].isin(["country", "other people"])]
    assert people["outside"].sum() <= 0.03 * people["runs"].sum()
    assert table.loc[table["kind"] == "no structure", "inside"].sum() == 0


def test_unreliable_people_are_not_outside_and_exchanged_values_are():
    kinds = load_study("verdicts").set_index(["kind", "n"]).sort_index()
    assert kinds.loc["unreliable people", "outside"].sum() == 0
    exchanged = kinds.loc[("exchanged", 1000)]
    assert len(exchanged) == 2 and (exchanged["outside"] == exchanged["runs"]).all()


def test_the_graph_tells_side_effects_where_pushes_are_pushes_of_causes():
    table = load_study("side_effects").query("part == 'answer'")
    table = table.set_index(["respondent", "interventions_by", "predictor"]).sort_index()
    for organism in ("organism-human", "organism-alien"):
        for kind in ("features", "words"):
            skill = table.loc[(organism, kind), "skill"]
            assert skill["true effects"] > 0.9 and skill["LiNGAM graph"] > 0.9
            assert skill["true class"] > skill["graph"] > skill["correlation"] > skill["circle"]
        # A difference of means is no push of one cause: there, correlations are right.
        row = table.loc[(organism, "directions", "correlation")]
        assert row["skill"] > 0.9 and row["lead_high"] < 0


def test_neither_graph_nor_correlations_tell_the_side_effects_of_recorded_features():
    table = load_study("side_effects").query("part == 'answer'")
    table = table[table["interventions_by"].str.contains("items")]
    for _, rows in table.groupby(["respondent", "interventions_by"]):
        skill = rows.set_index("predictor")["skill"]
        assert abs(skill[["graph", "correlation"]]).max() < 0.03


# ---------------------------------------------------------------- simulation


def test_random_models_are_acyclic_with_weights_in_range():
    rng = np.random.default_rng(0)
    edges = []
    for _ in range(50):
        model = random_model(8, rng, degree=3, low=0.2, high=0.5)
        assert not np.diag(reachable(model.adjacency)).any()
        sizes = np.abs(model.weights[model.weights != 0])
        assert ((sizes >= 0.2) & (sizes <= 0.5)).all()
        edges.append(len(sizes))
    assert np.mean(edges) * 2 / 8 == pytest.approx(3, abs=0.3)


def test_scores_follow_the_model():
    model = SimulatedModel(("a", "b"), np.array([[0, 0.5], [0, 0]]))  # a causes b
    scores = model.scores(40_000, np.random.default_rng(1)).xs("none")
    assert np.allclose(np.cov(scores.to_numpy().T), [[1, 0.5], [0.5, 1.25]], atol=0.03)
    assert model.cpdag.undirected_edges == [("a", "b")]
    assert not model.without_effects().weights.any()


def test_rows_of_a_role_are_as_alike_as_wanted_and_interventions_shift_one_value():
    model = SimulatedModel(("a", "b"), np.zeros((2, 2)))
    rng = np.random.default_rng(2)
    scores = model.scores(40_000, rng, interventions=1, between=0.7, shift=2.0)
    none, other = (scores.xs(name)["a"].to_numpy() for name in ("none", "f1"))
    assert np.corrcoef(none, other)[0, 1] == pytest.approx(0.7, abs=0.02)
    moved = scores.xs("f1").mean() - scores.xs("none").mean()
    assert sorted(moved.round(1).abs()) == [0.0, 2.0]
