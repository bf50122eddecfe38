"""Shows what a term of the glossary means where the term is used.

A chapter links a term as `[CPDAG](#term-CPDAG)`: plain text for a reader of the notebook, who would
see a role such as `{term}` spelt out. The book makes it a link into the glossary and puts the first
sentence of the definition beside it, which `book/static/terms.css` shows on hover and on focus. The
role itself works, too. Named in `_config.yml` under `local_extensions`; `make book` loads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

PREFIX = "term-"
LOGGER = logging.getLogger(__name__)


class TermReference(nodes.reference):
    """A link to the glossary that carries the definition."""


def first_sentence(definition: str) -> str:
    """The first sentence of a definition; a point inside brackets or a number ends none."""
    text = " ".join(definition.split())
    found = re.match(r".+?[a-z)\]%\d][.:](?=\s+[A-Z(]|$)", text)
    return found[0] if found else text


def terms(doctree: nodes.document) -> Iterator[tuple[str, str]]:
    """The id and the first sentence of each term that a page defines."""
    for glossary in doctree.findall(addnodes.glossary):
        for item in glossary.findall(nodes.definition_list_item):
            (definition,) = item.findall(nodes.definition)
            meaning = first_sentence(definition[0].astext())
            for term in item.findall(nodes.term):
                yield from ((name, meaning) for name in term["ids"] if name.startswith(PREFIX))


def collect(app: Sphinx, doctree: nodes.document) -> None:
    """Keep what a page defines."""
    kept = definitions(app.env)
    page = app.env.docname
    for name in [name for name, (where, _) in kept.items() if where == page]:
        del kept[name]
    for name, meaning in terms(doctree):
        kept[name] = (page, meaning)


def definitions(env: BuildEnvironment) -> dict[str, tuple[str, str]]:
    """Page and meaning of every term, by its id; kept from build to build."""
    if not hasattr(env, "hover_terms"):
        env.hover_terms = {}
    return env.hover_terms


def forget(app: Sphinx, env: BuildEnvironment, page: str) -> None:
    """Drop the terms of a page that is gone."""
    kept = definitions(env)
    for name in [name for name, (where, _) in kept.items() if where == page]:
        del kept[name]


def merge(app: Sphinx, env: BuildEnvironment, pages: set[str], other: BuildEnvironment) -> None:
    """Take over what another process has read."""
    definitions(env).update({k: v for k, v in definitions(other).items() if v[0] in pages})


def rewrite(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Name the pages to write again: all of them, once a definition has changed."""
    before, now = getattr(env, "hover_terms_written", None), dict(definitions(env))
    env.hover_terms_written = now
    return [] if before == now else sorted(env.found_docs)


class LinkTerms(SphinxPostTransform):
    """Makes links of `#term-...`, before MyST looks for such a target on the page itself."""

    default_priority = 8  # MyST's own is 9

    def run(self, **_options: object) -> None:
        kept = definitions(self.env)
        for link in list(self.document.findall(addnodes.pending_xref)):
            name = link.get("reftarget", "")
            if link["reftype"] != "myst" or not name.startswith(PREFIX):
                continue
            if name not in kept:
                LOGGER.warning("no such term in the glossary: %r", name, location=link)
                continue
            page, _ = kept[name]
            made = make_refnode(
                self.app.builder, self.env.docname, page, name, [*link[0].deepcopy()]
            )
            link.replace_self(made)


def explain(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Put the definition beside every link to a term, but for those on the glossary's own page."""
    kept = definitions(app.env)
    for link in list(doctree.findall(nodes.reference)):
        name = link.get("refuri", "").rpartition("#")[2]
        if not link.get("internal") or name not in kept or kept[name][0] == page:
            continue
        term = TermReference("", "", *link.children, **link.attributes)
        term["definition"] = kept[name][1]
        term["classes"] = [*link["classes"], "term"]
        link.replace_self(term)


def visit(writer: nodes.NodeVisitor, node: TermReference) -> None:
    """Open the link, with the definition as an attribute for the style sheet."""
    writer.visit_reference(node)
    opened = writer.body.pop()
    attribute = f'<a data-definition="{escape(node["definition"])}" '
    writer.body.append(opened.replace("<a ", attribute, 1))


def depart(writer: nodes.NodeVisitor, node: TermReference) -> None:
    """Close the link."""
    writer.depart_reference(node)


def setup(app: Sphinx) -> dict[str, object]:
    """Connect to Sphinx."""
    app.add_node(TermReference, html=(visit, depart))
    app.add_post_transform(LinkTerms)
    app.add_css_file("terms.css")
    app.connect("doctree-read", collect)
    app.connect("env-purge-doc", forget)
    app.connect("env-merge-info", merge)
    app.connect("env-updated", rewrite)
    app.connect("doctree-resolved", explain)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": 1}
