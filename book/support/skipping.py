"""Cells that need what a model lacks are skipped with one line, and so are those built on them.

A chapter speaks of organisms, whose truth is known. Of another model it has no truth, and maybe no
autoencoder: `Lacking` stands in their place. A cell that uses it says why it is skipped, and what
the cell would have defined is lacking too. Nothing of this is at work while an organism answers.
"""

from __future__ import annotations

import ast
import traceback
from pathlib import Path
from textwrap import shorten
from typing import NoReturn

import book_support
from book_support.slides import Slides, running_shell

import studies
import valuegraph

#: What a refusal is raised in: the project's own code, never a reader's cell.
_OURS = tuple(str(Path(m.__file__).parent) for m in (valuegraph, studies, book_support))


class Skipped(Exception):
    """A cell needs what the model does not have."""


class Lacking:
    """What a model does not have. It is false, and whoever uses it is told why it is not there."""

    def __init__(self, reason: str) -> None:
        self.__dict__["reason"] = reason

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return f"<{self.__dict__['reason']}>"

    def __str__(self) -> str:
        return self.__dict__["reason"]

    def _refuse(self, *_, **__) -> NoReturn:
        raise Skipped(self.__dict__["reason"])

    __getattr__ = __setattr__ = __getitem__ = __setitem__ = __call__ = __iter__ = __len__ = _refuse
    __contains__ = __format__ = __float__ = __int__ = __index__ = __array__ = _refuse
    __eq__ = __lt__ = __gt__ = __le__ = __ge__ = __neg__ = __abs__ = __array_ufunc__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = _refuse
    __rtruediv__ = __matmul__ = __rmatmul__ = __pow__ = __and__ = __rand__ = __or__ = _refuse
    __ror__ = _refuse
    __hash__ = None


def reason_to_skip(error: Exception) -> str | None:
    """Say why a cell is skipped; None if the error is another's to handle.

    The project refuses by a ValueError what a model's answers do not bear, such as a graph from
    answers that are all alike, and by a NotImplementedError what its architecture does not.
    """
    if isinstance(error, Skipped):
        return str(error)
    if not isinstance(error, ValueError | NotImplementedError):
        return None
    innermost = traceback.extract_tb(error.__traceback__)[-1].filename
    return str(error) if innermost.startswith(_OURS) else None


def _names(tree: ast.AST) -> set[str]:
    """Names that a cell defines, leaving out what its functions have for themselves."""
    if isinstance(tree, ast.FunctionDef | ast.ClassDef):
        return {tree.name}
    if isinstance(tree, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        return set()
    own = {tree.id} if isinstance(tree, ast.Name) and isinstance(tree.ctx, ast.Store) else set()
    return own.union(*map(_names, ast.iter_child_nodes(tree)))


class CellGuard(ast.NodeTransformer):
    """Puts each cell that a shell is about to run into a `try`, as long as it is registered."""

    def __init__(self, shell) -> None:
        self.shell, self.before, self.used, self.quotes = shell, {}, set(), False
        shell.user_ns["_guard"] = self

    def visit_Module(self, module: ast.Module) -> ast.Module:
        """Guard a cell; a value on its last line is shown as ever."""
        self.used = {n.id for n in ast.walk(module) if isinstance(n, ast.Name)}
        self.quotes = "glue" in self.used
        self.before = {name: self.shell.user_ns.get(name) for name in _names(module)}
        guarded = ast.parse(
            "_shown = None\n"
            "try:\n    pass\n"
            "except Exception as _error:\n    if not _guard.skips(_error): raise\n"
            "_shown"
        )
        body = list(module.body)
        if body and isinstance(body[-1], ast.Expr):
            shown = ast.parse("_shown = _guard.drawn(None)").body[0]
            shown.value.args = [body[-1].value]
            body[-1] = ast.copy_location(shown, body[-1])
        guarded.body[1].body = body or guarded.body[1].body
        return ast.fix_missing_locations(guarded)

    def drawn(self, value: object) -> object:
        """Draw now what would be drawn when it is shown, so that it can still be skipped."""
        if isinstance(value, Slides):
            value._repr_html_()
        return value

    def skips(self, error: Exception) -> bool:
        """Say in a line why a cell is skipped, and mark what it should have defined.

        Cells of numbers that the text quotes say nothing, and keep what they came to define: the
        text is about organisms.
        """
        space, reason = self.shell.user_ns, reason_to_skip(error)
        for name in sorted(self.used):
            given = space.get(name)
            # Its own reason, rather than what a function says of being given it.
            told = isinstance(error, TypeError) or f"{given!r:.40}" in str(error)
            if isinstance(given, Lacking) and told and not isinstance(error, Skipped):
                reason = str(given)
        if self.quotes and reason is None:
            reason = f"only the text needs it ({type(error).__name__})"
        if reason is not None:
            for name, value in self.before.items():
                if not self.quotes or space.get(name) is value:
                    space[name] = Lacking(reason)
            if not self.quotes:
                print(f"Skipped: {shorten(reason, 300)}")
        return reason is not None


def guard_cells(on: bool) -> None:
    """Skip, from the next cell on, what the model does not bear; or stop doing so."""
    shell = running_shell()
    if shell is not None:
        others = [t for t in shell.ast_transformers if not isinstance(t, CellGuard)]
        shell.ast_transformers[:] = [*others, CellGuard(shell)] if on else others
