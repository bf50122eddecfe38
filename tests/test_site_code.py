"""The site's code holds each mechanism in its own block; swapped blocks are swapped mechanisms."""

import pytest
import torch

from valuegraph.organisms.site_code import SiteCode, block_slices

WIDTH, D = 23, 5


@pytest.fixture
def code():
    """A code with an offset, as after training."""
    code = SiteCode(WIDTH, D, seed=3)
    with torch.no_grad():
        code.offset.copy_(torch.linspace(-1, 1, WIDTH))
    return code


def mechanisms(n, seed=0):
    return torch.randn(n, D, 3, generator=torch.Generator().manual_seed(seed))


def test_blocks_are_equal_and_apart_and_the_rest_belongs_to_none():
    covered = [list(range(WIDTH))[block] for block in block_slices(WIDTH, D)]
    assert [len(block) for block in covered] == [4] * D
    assert sum(covered, []) == list(range(20))


def test_a_width_without_room_for_the_blocks_is_refused():
    assert len(block_slices(3 * D, D)) == D
    with pytest.raises(ValueError, match=r"a width of 14 .* 5 values; choose .* at least 15"):
        block_slices(3 * D - 1, D)


def test_directions_are_orthonormal_and_stay_in_their_block(code):
    flat = code.directions.reshape(3 * D, WIDTH)
    torch.testing.assert_close(flat @ flat.T, torch.eye(3 * D), atol=1e-6, rtol=0)
    for k, block in enumerate(code.blocks):
        outside = code.directions[k].clone()
        outside[:, block] = 0
        assert not outside.any()


def test_a_mechanism_is_read_back_from_its_block(code):
    given = mechanisms(6)
    states = code(given)
    read = torch.einsum("nw,dmw->ndm", states - code.offset, code.directions)
    torch.testing.assert_close(read, given, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(code(torch.zeros(1, D, 3))[0], code.offset.detach())


def test_swapping_blocks_is_swapping_mechanisms(code):
    given = mechanisms(8)
    base, source = given[:4], given[4:]
    swapped = torch.rand(4, D, generator=torch.Generator().manual_seed(1)) < 0.5
    acting = torch.cat([torch.where(swapped[:, :, None], source, base), source])
    states = code(given)
    before = states.clone()
    torch.testing.assert_close(code.swap(states, swapped), code(acting))
    assert torch.equal(states, before)


def test_swapping_nothing_and_everything(code):
    site = torch.randn(4, WIDTH, generator=torch.Generator().manual_seed(0))
    none, every = torch.zeros(2, D, dtype=torch.bool), torch.ones(2, D, dtype=torch.bool)
    assert torch.equal(code.swap(site, none), site)
    taken = code.swap(site, every)
    assert torch.equal(taken[:2, :20], site[2:, :20])
    assert torch.equal(taken[:2, 20:], site[:2, 20:])  # coordinates of no value
    assert torch.equal(taken[2:], site[2:])


def test_power_is_the_mean_square_of_what_varies(code):
    given = mechanisms(50)
    varying = code(given) - code(given).mean(0)
    torch.testing.assert_close(code.directions_power(given), varying.square().mean())
    moved = given + mechanisms(1, seed=1)
    torch.testing.assert_close(code.directions_power(moved), code.directions_power(given))


def test_a_seed_names_the_directions():
    torch.manual_seed(0)
    first = SiteCode(WIDTH, D, seed=1).directions
    torch.manual_seed(1)
    assert torch.equal(SiteCode(WIDTH, D, seed=1).directions, first)
    assert not torch.equal(SiteCode(WIDTH, D, seed=2).directions, first)
