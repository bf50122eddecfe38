"""Every row is shifted by what its own shifts say, where they say."""

import numpy as np
import pytest
import torch

from valuegraph.asking.encoding import pad_left
from valuegraph.asking.row_shifts import RowShifts, tokens_of_places
from valuegraph.hooks import recorded
from valuegraph.interventions import PLACES, Shift

TEXTS = [[2, 11, 12, 13, 14], [2, 21, 22], [2, 31, 32, 33]]
SITES = [range(1, 3), range(1, 2), range(1, 4)]
PADDED = pad_left(TEXTS, torch.device("cpu"))


def shift(name, layer, where="site-end", width=40):
    generator = np.random.default_rng([*name.encode()])
    return Shift(name, layer, generator.standard_normal(width), where)


@torch.no_grad()
def states(model, shifts, places=None):
    """Outputs of all three layers under some shifts."""
    places = tokens_of_places(PADDED.mask, SITES) if places is None else places
    with RowShifts(shifts, model.device).acting(model, places):
        with recorded(model, 0) as a, recorded(model, 1) as b, recorded(model, 2) as c:
            model(PADDED.ids, attention_mask=PADDED.mask.long(), position_ids=PADDED.positions)
    return [a[0], b[0], c[0]]


def test_places_are_tokens_and_no_padding():
    places = tokens_of_places(PADDED.mask, SITES)
    assert set(places) == set(PLACES)
    found = {name: [row.nonzero()[:, 0].tolist() for row in places[name]] for name in places}
    assert found["site"] == [[1, 2], [3], [2, 3, 4]]  # of 5 columns, all texts ending in the last
    assert found["site-end"] == [[2], [3], [4]]
    assert found["prompt"] == found["everywhere"] == [[0, 1, 2, 3, 4], [2, 3, 4], [1, 2, 3, 4]]


def test_without_sites_there_is_none():
    assert set(tokens_of_places(PADDED.mask)) == {"prompt", "everywhere"}


@pytest.mark.parametrize("where", PLACES)
def test_each_row_moves_by_its_own_vector_at_its_own_tokens(organism, where):
    model = organism.model
    a, b = shift("a", 1, where), shift("b", 1, where)
    expected = states(model, [(), (), ()])[1]
    for row, of_row in ((1, a), (2, b)):
        columns = tokens_of_places(PADDED.mask, SITES)[where][row].nonzero()[:, 0]
        assert len(columns)
        expected[row, columns] += torch.from_numpy(of_row.vector)
    assert torch.equal(states(model, [(), (a,), (b,)])[1], expected)  # padding, too


def test_shifts_of_one_row_may_have_different_layers_and_places(organism):
    model = organism.model
    parts = (shift("a", 0, "site"), shift("b", 1, "prompt"), shift("c", 0), shift("d", 0, "site"))
    before, after = states(model, [(), (), ()]), states(model, [(), (), parts])
    moved = (after[0] - before[0])[2]
    site = parts[0].vector + parts[3].vector
    expected = torch.zeros(5, 40)
    expected[2:5] = torch.from_numpy(site)
    expected[4] += torch.from_numpy(parts[2].vector)
    torch.testing.assert_close(moved, expected)
    for x, y in zip(after, before, strict=True):
        assert torch.equal(x[:2], y[:2])
    alone = states(model, [(), (), parts[:1] + parts[2:]])
    torch.testing.assert_close(
        (after[1] - alone[1])[2, 1:], torch.from_numpy(parts[1].vector).expand(4, -1)
    )
    assert torch.equal(after[1][2, :1], alone[1][2, :1])


def test_a_place_that_is_not_there_is_not_shifted(organism):
    model = organism.model
    after = states(model, [(shift("a", 0, "prompt"),)] * 3, {"everywhere": PADDED.mask})
    assert all(map(torch.equal, after, states(model, [(), (), ()])))


def test_rows_that_are_taken_keep_their_own_shifts(organism):
    model = organism.model
    shifts = [(shift("a", 0),), (), (shift("b", 1, "prompt"), shift("c", 0))]
    rows = [2, 0, 2]
    places = tokens_of_places(PADDED.mask, SITES)
    with torch.no_grad():
        with RowShifts([shifts[r] for r in rows], model.device).acting(model, places):
            expected = model(PADDED.ids).logits
        taken = RowShifts(shifts, model.device).take(torch.tensor(rows))
        with taken.acting(model, places):
            assert torch.equal(model(PADDED.ids).logits, expected)
