"""The Markdown of a page without the book's own: numbers, citations and links written out.

A page of the book speaks MyST: roles such as `{cite:t}` and fences such as `:::{exercise}`, which
mean something to the book alone. `Page.markdown` says the same in Markdown that every notebook
program shows. What it does not know is an error, so that nothing slips through.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from book_prose import FOLDERS
from freeze_pages import VOLATILE, frozen_file
from measure_pages import ROOT
from pybtex.database import parse_file
from pybtex.plugin import find_plugin
from set_repository import book_address

FENCE = re.compile(r"(:{3,}|`{3,})\{([\w-]+)\} *(.*)")
OPTION = re.compile(r":([\w-]+): *(.*)")
DEFINITION = re.compile(r"(?m)^(\w.*)\n: (.+(?:\n  .*)*)")
GLUE = re.compile(r"(?:(?P<page>.+)::)?(?P<name>[^:]+)(?::(?P<fmt>[^:]+))?")
# Roles, formulas with a name, links and labels; code comes first and is left as it is.
PART = re.compile(
    r"(?ms)^(?P<fence>`{3,}).*?^(?P=fence) *$"
    r"|\{(?P<role>[\w:]+)\}`(?P<body>[^`]+)`"
    r"|(?P<ticks>`+)(?!`).*?(?P=ticks)"
    r"|\$\$(?P<formula>(?:[^$]|\$(?!\$))*)\$\$ *\((?P<equation>[\w:-]+)\)"
    r"|\$\$.*?\$\$|\$[^$\n]+\$"
    r"|(?<!!)\[(?P<said>[^\[\]]*)\]\((?P<to>[^()\s]+)\)"
    r"|^(?P<label>\([\w:.-]+\)=)\n"
)
NAMED = re.compile(r"(?m)^\(([\w:.-]+)\)=|^:(?:label|name): (\S+)|\$\$ *\(([\w:-]+)\)")

# Stands for a number that is true of the machine that built the book; its sentence is left out.
LOCAL = "\0"
BETWEEN_SENTENCES = re.compile(r"((?<=[.!?*)])\s+(?=[A-Z*(\[`:{$]))")


@cache
def bibliography(root: Path) -> dict:
    """The entries of the book's list of references, by key."""
    return parse_file(str(root / "book" / "references.bib"), bib_format="bibtex").entries


@cache
def frozen(page: Path, root: Path) -> dict[str, object]:
    """The numbers that a page glued when it was frozen."""
    return json.loads(frozen_file(page, root).read_text(encoding="utf-8"))


@cache
def labels(root: Path) -> dict[str, str]:
    """Where each label of the book stands: a page, and a place on it."""
    found = {}
    for page in [p for folder in FOLDERS for p in sorted((root / folder).iterdir())]:
        if page.suffix not in {".md", ".ipynb"}:
            continue
        text = page.read_text(encoding="utf-8")
        if page.suffix == ".ipynb":
            cells = json.loads(text)["cells"]
            figures = [c["metadata"].get("mystnb", {}).get("figure", {}) for c in cells]
            text = "\n".join("".join(c["source"]) for c in cells)
            text += "".join(f"\n({figure['name']})=" for figure in figures if "name" in figure)
        html = page.relative_to(root).with_suffix(".html").as_posix()
        for label, option, equation in NAMED.findall(text):
            found[label or option or equation] = (
                f"{html}#equation-{equation}" if equation else f"{html}#{label or option}"
            )
    return found


def formatted(value: object, fmt: str | None) -> str:
    """A number as `{glue:text}` writes it: the last letter says what it is taken for."""
    kind = str
    if fmt and fmt[-1] in "bcdoxX":
        kind = int
    elif fmt and fmt[-1] in "eEfFgGn%":
        kind = float
    return format(kind(value), fmt or "s")


def folded(title: str, body: str) -> str:
    """Text that opens on a click."""
    return f"<details>\n<summary>{title}</summary>\n\n{body}\n\n</details>"


@dataclass
class Page:
    """A page on its way to plain Markdown, and what it has met so far.

    `path` is relative to `root`; `url` is the address of the repository, None while there is none;
    `solved` keeps solutions.
    """

    path: Path
    url: str | None
    solved: bool = False
    root: Path = ROOT
    cited: set[str] = field(default_factory=set)
    exercises: dict[str, int] = field(default_factory=dict)
    equations: dict[str, int] = field(default_factory=dict)

    def markdown(self, text: str) -> str:
        """Plain Markdown of a cell, or of what is inside a fence."""
        lines, out, plain = iter(text.split("\n")), [], []
        for line in lines:
            fence, code = FENCE.fullmatch(line), re.match(r"`{3,}", line)
            inside = [line] if code and not fence else []
            if fence or code:
                end = fence[1] if fence else code[0]
                for inner in lines:
                    if inner.rstrip() == end:
                        break
                    inside.append(inner)
            if fence:
                out += [self.inline("\n".join(plain)), self.directive(fence[2], fence[3], inside)]
                plain = []
            else:
                plain += [*inside, end] if code else [line]
        out.append(self.inline("\n".join(plain)))
        return "\n\n".join(part.strip("\n") for part in out if part.strip())

    def inline(self, text: str) -> str:
        """Text without fences: sentences that hold for one machine only are left out."""
        text = DEFINITION.sub(r"- **\1**: \2", text)
        text = PART.sub(self.part, text)
        paragraphs = map(without_local, re.split(r"\n{2,}", text))
        return "\n\n".join(filter(str.strip, paragraphs))

    def part(self, found: re.Match) -> str:
        """What stands in the place of one part of the text."""
        if found["role"]:
            return self.role(found["role"], found["body"])
        if found["equation"]:
            number = self.equations.setdefault(found["equation"], len(self.equations) + 1)
            return f"$${found['formula'].rstrip()} \\tag{{{number}}}\n$$"
        if found["to"]:
            return self.link(self.inline(found["said"]), found["to"])
        return "" if found["label"] else found[0]

    def role(self, name: str, body: str) -> str:
        """What a role says."""
        if name == "glue:text":
            return self.number(body)
        if name.startswith("cite"):
            return self.citation(body, running=name == "cite:t")
        if name == "eq" and body in self.equations:
            return f"({self.equations[body]})"
        said, target = re.fullmatch(r"(?:(.*?)\s*<)?(.*?)>?", body, re.S).groups()
        if name.startswith("py:"):
            code = target.lstrip("~")
            short = code.rpartition(".")[2] if target[0] == "~" else code
            place = f"module-{code}" if name == "py:mod" else code
            return self.link(said or f"`{short}`", f"../book/api#{place}")
        if name == "term":
            return self.link(said or target, "#term-" + re.sub(r"[^A-Za-z0-9]+", "-", target))
        plain = {"numref": "the figure", "ref": "there", "eq": "the equation", "doc": "that page"}
        if name not in plain:
            raise ValueError(f"{self.path}: the role {name!r} has no plain form yet")
        return self.link(said or plain[name], target)

    def number(self, spec: str) -> str:
        """A glued number of this page, or of another."""
        page, name, fmt = GLUE.fullmatch(spec).group("page", "name", "fmt")
        file = (self.root / self.path.parent / page).resolve() if page else self.root / self.path
        source = file.relative_to(self.root)
        if VOLATILE.search(name):
            return LOCAL
        if name not in frozen(source, self.root):
            freeze = f"python scripts/freeze_pages.py {source}"
            raise ValueError(f"{self.path}: {name!r} is not among the frozen numbers; run {freeze}")
        return formatted(frozen(source, self.root)[name], fmt)

    def citation(self, keys: str, *, running: bool) -> str:
        """Authors and year, in brackets or in running text."""
        each = []
        for key in re.split(r"\s*,\s*", keys.strip()):
            entry = bibliography(self.root)[key]
            names = [" ".join(map(str, p.rich_last_names)) for p in entry.persons["author"]]
            who = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
            year = entry.fields["year"]
            each.append(f"{who} ({year})" if running else f"{who}, {year}")
            self.cited.add(key)
        return ", ".join(each) if running else f"({'; '.join(each)})"

    def references(self) -> str:
        """The list of what was cited, in the book's own style."""
        entries = [bibliography(self.root)[key] for key in sorted(self.cited)]
        style = find_plugin("pybtex.style.formatting", "plain")()
        markdown = find_plugin("pybtex.backends", "markdown")()
        texts = [e.text.render(markdown) for e in style.format_entries(entries)]
        # Of what is escaped, only some would mean anything; `\(` could even begin a formula.
        texts = [re.sub(r"\\\\url |\\(?=[^*_\[\]])", "", text) for text in texts]
        return "\n".join("- " + " ".join(text.split()) for text in texts)

    def link(self, text: str, target: str) -> str:
        """A link to the published book; the text alone while the book has no address."""
        if re.match(r"(https?|mailto):", target):
            return f"[{text}]({target})"
        place = self.place(target)
        return f"[{text}]({book_address(self.url)}{place})" if self.url else text

    def place(self, target: str) -> str:
        """Page and place of what a source calls `target`."""
        if target.startswith("#term-"):
            return f"book/glossary.html{target}"
        if target.lstrip("#") in labels(self.root):
            return labels(self.root)[target.lstrip("#")]
        name, mark, anchor = target.partition("#")
        file = (self.root / self.path.parent / name).resolve()
        if not any(file.with_suffix(end).is_file() for end in (".md", ".ipynb")):
            raise ValueError(f"{self.path}: nothing in the book is called {target!r}")
        html = file.relative_to(self.root).with_suffix(".html").as_posix()
        return f"{html}{mark}{anchor}"

    def directive(self, name: str, title: str, lines: list[str]) -> str:
        """What a fence with a name says."""
        options = {}
        while lines and (option := OPTION.fullmatch(lines[0])):
            options[option[1]] = option[2]
            lines = lines[1:]
        raw = "\n".join(lines).strip("\n")
        if name == "math":
            return f"$$\n{raw}\n$$"
        if name in {"code", "code-block", "code-cell"}:
            return f"```{title}\n{raw}\n```"
        if name == "solution" and not self.solved:
            return ""
        if name == "exercise":
            number = self.exercises[options.get("label", "")] = len(self.exercises) + 1
            heading = "## Exercises\n\n" if number == 1 else ""
            return f"{heading}### Exercise {number}\n\n{self.markdown(raw)}"
        body = self.markdown(raw)
        if name in {"hint", "dropdown"}:
            return folded(title or "Hint", body)
        if name == "solution":
            return folded(f"Solution of exercise {self.exercises[title]}", body)
        if name in {"figure", "image"}:
            return "\n\n".join(filter(None, [self.picture(title, options), body and f"*{body}*"]))
        if name == "table":
            return f"**{title}**\n\n{body}"
        if name not in {"admonition", "note", "tip", "hint", "important", "warning", "seealso"}:
            raise ValueError(f"{self.path}: the directive {name!r} has no plain form yet")
        heading = self.inline(title) or {"seealso": "See also"}.get(name, name.capitalize())
        quoted = [f"> {line}".rstrip() for line in f"**{heading}**\n\n{body}".split("\n")]
        return "\n".join(quoted)

    def picture(self, file: str, options: dict[str, str]) -> str:
        """A picture, which has to come from the repository; nothing while it has no address."""
        path = (self.root / self.path.parent / file).resolve().relative_to(self.root)
        raw = (self.url or "").replace("github.com", "raw.githubusercontent.com")
        return f"![{options.get('alt', '')}]({raw}/main/{path.as_posix()})" if self.url else ""


def without_local(paragraph: str) -> str:
    """A paragraph without the sentences that hold for one machine only."""
    if LOCAL not in paragraph:
        return paragraph
    # Sentences and the spaces after them take turns.
    pieces = [*BETWEEN_SENTENCES.split(paragraph), ""]
    pairs = [pieces[i : i + 2] for i in range(0, len(pieces), 2)]
    return "".join(s + space for s, space in pairs if LOCAL not in s).rstrip()
