"""The library's own search on pooled scores: a graph is found, and nothing where nothing is."""

import numpy as np
import pytest

from valuegraph.discovery import discover
from valuegraph.paper.instrument import searched
from valuegraph.simulation import random_model

OPTIONS = {"null_draws": 20, "resamples": 40, "null_resamples": 10}


@pytest.fixture
def model():
    return random_model(7, np.random.default_rng(0), low=0.4)


def test_a_graph_is_found_by_both_units(model):
    scores = model.scores(150, np.random.default_rng(1), interventions=3)
    table = searched(scores, **OPTIONS)
    assert list(table.index) == [("roles", 0.05), ("roles", 0.01), ("contexts", 0.05),
                                 ("contexts", 0.01)]  # fmt: skip
    assert (table["edges"] > table["null"] + 3 * table["null_sd"]).all()
    assert (table["firm"] >= 3).all()
    assert table.loc[("roles", 0.01), "n"] == 150
    assert 150 < table.loc[("contexts", 0.01), "n"] < 600
    alone = discover(scores.xs("none"), null_draws=0)
    assert table.loc[("roles", 0.01), "edges"] == alone.n_edges


def test_where_nothing_is_clusters_make_no_edges(model):
    scores = model.without_effects().scores(
        150, np.random.default_rng(2), interventions=3, between=0.8
    )
    table = searched(scores, **OPTIONS)
    assert (abs(table["edges"] - table["null"]) < 4).all()
    assert (table["firm"] <= 1).all()
