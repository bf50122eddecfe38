"""An installation on Colab replaces nothing that Colab has."""

import re
from functools import cache
from importlib.metadata import PackageNotFoundError, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from test_repository import PROJECT, ROOT

LIST = (ROOT / "tests" / "fixtures" / "colab_versions.txt").read_text(encoding="utf-8")
COLAB = {
    canonicalize_name(name): version
    for name, version in re.findall(r"(?m)^([\w.-]+)==(\S+)$", LIST)
}
# Where Colab's Python differs from the one that runs this test.
PLACE = {"python_version": "3.12", "python_full_version": "3.12.12", "extra": ""}
PLACE |= {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"}


def wanted(requirements):
    """Those of the requirements that count on Colab."""
    each = map(Requirement, requirements)
    return [r for r in each if r.marker is None or r.marker.evaluate(PLACE)]


@cache
def installed():
    """What an installation asks for, ours and, of packages that Colab lacks, theirs."""
    optional = PROJECT["optional-dependencies"]["gpu"]
    found, todo, seen = [], wanted(PROJECT["dependencies"] + optional), set()
    while todo:
        requirement = todo.pop()
        found.append(requirement)
        name = canonicalize_name(requirement.name)
        if name not in COLAB and name not in seen:
            seen.add(name)
            try:
                todo += wanted(requires(name) or [])
            except PackageNotFoundError:  # bitsandbytes: it is nowhere without a GPU
                assert name == "bitsandbytes"
    return found


def test_the_list_says_where_and_when_it_comes_from():
    assert re.search(r"# Source: .*backend-info.*\b[0-9a-f]{40}\b", LIST)
    assert re.search(r"# Date: .*\b20\d\d\b", LIST)
    assert {"torch", "numpy", "pandas", "scipy", "transformers", "ipython"} <= set(COLAB)


def test_what_colab_has_is_in_our_ranges():
    ranges = [(r, COLAB.get(canonicalize_name(r.name))) for r in installed()]
    refused = [f"{r}: Colab has {v}" for r, v in ranges if v and v not in r.specifier]
    assert refused == []
    assert sum(v is not None for _, v in ranges) > 50


@pytest.mark.parametrize("name", ["torch", "numpy", "pandas", "huggingface-hub", "transformers"])
def test_a_range_that_is_too_narrow_would_be_found(name):
    assert name in {canonicalize_name(r.name) for r in installed()}
    assert COLAB[name] not in Requirement(f"{name}>{COLAB[name]}").specifier
