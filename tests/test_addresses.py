"""Where the built book leads: the address comes from git, and the rocket opens the edition."""

import json
import re
import subprocess

import pytest
import set_repository
from measure_pages import ROOT

URL = "https://github.com/Me/my-copy"
EDITION = "https://colab.research.google.com/github/Me/my-copy/blob/colab/student/some.ipynb"


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("https://github.com/Me/my-copy", URL),
        ("https://github.com/Me/my-copy.git", URL),
        ("https://github.com/Me/my-copy/", URL),
        ("https://x-access-token:abc@github.com/Me/my-copy.git\n", URL),
        ("git@github.com:Me/my-copy.git", URL),
        ("git@github.com:Me/my-copy", URL),
        ("ssh://git@github.com/Me/my-copy.git", URL),
        ("https://github.com/Me/a.copy", "https://github.com/Me/a.copy"),
        ("https://gitlab.com/Me/my-copy.git", None),
        ("../my-copy", None),
        ("", None),
    ],
)
def test_an_address_is_read_from_every_form_of_remote(remote, url):
    assert set_repository.from_remote(remote) == url


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository of git with the settings of the book, and no remote."""
    monkeypatch.delenv(set_repository.SETTING, raising=False)
    placeholder = f"repository:\n  url: {set_repository.PLACEHOLDER}causal-value-graphs\n"
    (tmp_path / "_config.yml").write_text(placeholder)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    return tmp_path


def test_the_setting_goes_before_git_and_git_before_the_configuration(checkout, monkeypatch):
    assert set_repository.public_address(checkout) is None
    written = "repository:\n  url: https://github.com/written/here\n"
    (checkout / "_config.yml").write_text(written)
    assert set_repository.public_address(checkout) == "https://github.com/written/here"
    remote = ["git", "-C", checkout, "remote", "add", "origin", "git@github.com:Me/my-copy.git"]
    subprocess.run(remote, check=True)
    assert set_repository.public_address(checkout) == URL
    monkeypatch.setenv(set_repository.SETTING, "https://github.com/set/by-hand.git")
    assert set_repository.public_address(checkout) == "https://github.com/set/by-hand"
    monkeypatch.setenv(set_repository.SETTING, "https://example.org/x")
    with pytest.raises(ValueError, match="https://github.com/OWNER/NAME"):
        set_repository.public_address(checkout)


def test_a_copy_inside_another_repository_does_not_take_its_remote(checkout):
    inside = checkout / "copy"
    inside.mkdir()
    (inside / "_config.yml").write_text((checkout / "_config.yml").read_text())
    remote = ["git", "-C", checkout, "remote", "add", "origin", "git@github.com:Me/my-copy.git"]
    subprocess.run(remote, check=True)
    assert set_repository.public_address(inside) is None


def test_nothing_that_is_shown_has_the_placeholder():
    pages = [*ROOT.glob("book/*.md"), *ROOT.glob("book/*.ipynb"), *ROOT.glob("notebooks/*.ipynb")]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for url in (URL, None):
            assert "OWNER" not in set_repository.shown(text, url), page.name
    index = (ROOT / "book" / "index.md").read_text(encoding="utf-8")
    student = set_repository.colab_address(URL, "00_quickstart")
    assert f"[Open it in Colab]({student})" in set_repository.shown(index, URL)
    assert "Open it in Colab" in set_repository.shown(index, None)


# ---------------------------------------------------------------- a small book

BADGE = "**CPU only** · **opens in Colab** (rocket button above)"


@pytest.fixture(scope="module", params=[URL, None], ids=["address", "no address"])
def built(request, tmp_path_factory):
    """The pages of a book of three, built with the book's extension and theme, and the address."""
    pytest.importorskip("sphinx_book_theme")
    from sphinx.application import Sphinx

    folder = tmp_path_factory.mktemp("book")
    command = f"```sh\ngit clone {set_repository.PLACEHOLDER}causal-value-graphs\n```"
    link = set_repository.colab_address(set_repository.PLACEHOLDER + "x", "some")
    (folder / "index.md").write_text(
        f"# Page\n\n[Colab]({link})\n\n{command}\n\n```{{toctree}}\nsome\nother\n```\n"
    )
    install = f'%pip install "valuegraph @ git+{set_repository.PLACEHOLDER}x"'
    for name, text in (("some", f"# Some\n\n{BADGE}"), ("other", "# Other")):
        cells = [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": text}]
        code = {"cell_type": "code", "id": "b", "source": install, "outputs": []}
        cells.append(code | {"execution_count": None, "metadata": {"tags": ["remove-cell"]}})
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
        (folder / f"{name}.ipynb").write_text(json.dumps(notebook))
    (folder / "_config.yml").write_text((ROOT / "_config.yml").read_text(encoding="utf-8"))
    options = {
        "extensions": ["myst_nb", "sphinxext.opengraph", "book_extension"],
        "source_suffix": {".md": "myst-nb", ".ipynb": "myst-nb"},  # sphinx fills in its own default
        "html_theme": "sphinx_book_theme",
        "html_title": "A book",
        "nb_execution_mode": "off",
        "html_theme_options": {
            "repository_url": set_repository.PLACEHOLDER + "causal-value-graphs",
            "repository_branch": "main",
            "use_repository_button": True,
            "use_issues_button": True,
            "launch_buttons": {"colab_url": "https://colab.research.google.com"},
        },
    }
    said = folder / "warnings.txt"
    with pytest.MonkeyPatch.context() as patch, said.open("w") as warnings:
        patch.setenv(set_repository.SETTING, request.param or "")
        patch.syspath_prepend(str(ROOT / "scripts"))
        out = folder / "out"
        app = Sphinx(folder, None, out, folder / "tree", "html", options, None, warnings)
        app.build()
    # Another book may have been built in this process before.
    told = [line for line in said.read_text().splitlines() if "already registered" not in line]
    assert told == []
    return request.param, {p.stem: p.read_text("utf-8") for p in out.glob("*.html")}, out


def test_the_rocket_opens_the_student_edition(built):
    url, pages, _ = built
    assert (EDITION in pages["some"]) == (url is not None)
    assert "blob/main" not in pages["some"] and "launch-buttons" not in pages["other"]
    assert ("launch-buttons" in pages["some"]) == (url is not None)


def test_links_lead_to_the_address_or_are_left_out(built):
    url, pages, _ = built
    for page in pages.values():
        assert (f'href="{url}"' in page) == (f"{url}/issues" in page) == (url is not None)
        assert ("https://me.github.io/my-copy/" in page) == (url is not None)
    words = re.sub("<[^>]*>", "", pages["index"])
    assert f"git clone {url or 'ADDRESS-OF-THE-REPOSITORY'}" in words
    assert (f'href="{EDITION}"' in pages["index"]) == (url is not None)


def test_the_placeholder_stands_nowhere_in_what_is_built(built):
    out = built[2]
    files = [p for p in out.rglob("*") if p.suffix in {".html", ".js", ".ipynb", ".md", ".txt"}]
    assert [p.name for p in files if "OWNER" in p.read_text("utf-8", errors="ignore")] == []
    assert any(p.name == "some.ipynb" for p in files)
