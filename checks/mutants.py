"""Change the code in one place at a time; the tests have to notice.

    python checks/mutants.py                         # sixty changes of each module below
    python checks/mutants.py metrics --changes 500   # all changes of one

A comparison is turned, an operator exchanged, a sign left out, a number raised by one, a condition
negated, one branch of a conditional expression taken always. What the module's tests do not notice
is printed; `checks/mutants.txt` lists what was looked at, and why no test could notice it. The exit
code is 1 if less than four fifths are noticed, or if something is neither noticed nor listed.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib.abc
import importlib.util
import io
import os
import resource
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "lib" / "valuegraph"
JUDGED = Path(__file__).with_name("mutants.txt")

#: Modules, and the tests that have to notice what is changed in them.
TESTS = {
    "metrics": ["test_metrics.py"],
    "answers": ["test_answers.py", "test_properties.py"],
    "tables": ["test_tables.py", "test_inventory.py", "test_roles.py", "test_discovery.py"],
    "resampling": ["test_properties.py", "test_psychometrics.py"],
    "direct_effects": ["test_golden.py", "test_acting.py"],
    "acting": ["test_golden.py", "test_acting.py"],
    "exact": ["test_golden.py", "test_exact.py"],
    "graph": ["test_graph.py", "test_causal_effects.py", "test_metrics.py"],
}
SECONDS = 120  # of a processor

_SWAPS = {
    ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.And: ast.Or, ast.Or: ast.And,
    ast.MatMult: ast.Mult, ast.Mod: ast.Mult, ast.FloorDiv: ast.Mult,
}  # fmt: skip


class Change(ast.NodeTransformer):
    """Make the k-th change that is possible in a module, and count all of them."""

    def __init__(self, k: int | None = None) -> None:
        self.k, self.count, self.said = k, 0, ""

    def _now(self, node: ast.AST, what: str) -> bool:
        self.count += 1
        if self.count - 1 == self.k:
            self.said = f"line {node.lineno}: {what}"
            return True
        return False

    def visit_Expr(self, node):
        return node if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_JoinedStr(self, node):
        return node  # words for people

    def visit_Raise(self, node):
        return node

    def visit_arguments(self, node):
        node.defaults = [self.visit(each) for each in node.defaults]
        node.kw_defaults = [each and self.visit(each) for each in node.kw_defaults]
        return node  # annotations stay

    def visit_AnnAssign(self, node):
        if node.value:
            node.value = self.visit(node.value)
        return node

    def visit_FunctionDef(self, node):
        self.visit(node.args)
        node.body = [self.visit(each) for each in node.body]
        return node

    def visit_Compare(self, node):
        new = _SWAPS.get(type(node.ops[0]))
        if len(node.ops) == 1 and new and self._now(node, f"{ast.unparse(node)}, turned"):
            node.ops = [new()]
        return self.generic_visit(node)

    def visit_BinOp(self, node):
        new = _SWAPS.get(type(node.op))
        if new and self._now(node, f"{ast.unparse(node)}, with {new.__name__}"):
            node.op = new()
        return self.generic_visit(node)

    visit_BoolOp = visit_BinOp

    def visit_UnaryOp(self, node):
        if isinstance(node.op, (ast.Not, ast.Invert, ast.USub)):
            if self._now(node, f"{ast.unparse(node)}, without its sign"):
                return node.operand
        return self.generic_visit(node)

    def visit_Constant(self, node):
        number = isinstance(node.value, (int, float)) and not isinstance(node.value, bool)
        if number and self._now(node, f"{node.value} raised"):
            return ast.copy_location(ast.Constant(node.value + 1), node)
        if isinstance(node.value, bool) and self._now(node, f"{node.value} turned"):
            return ast.copy_location(ast.Constant(not node.value), node)
        return node

    def visit_IfExp(self, node):
        if self._now(node, f"{ast.unparse(node)}, always the first"):
            return node.body
        return self.generic_visit(node)

    def visit_If(self, node):
        if self._now(node, f"if {ast.unparse(node.test)}, negated"):
            node.test = ast.UnaryOp(ast.Not(), node.test)
        return self.generic_visit(node)


class Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module with a change."""

    def __init__(self, name: str, tree: ast.Module) -> None:
        self.name, self.tree = f"valuegraph.{name}", tree
        self.path = PACKAGE / f"{name}.py"

    def find_spec(self, name, path=None, target=None):
        if name != self.name:
            return None
        return importlib.util.spec_from_file_location(name, self.path, loader=self)

    def exec_module(self, module):
        exec(compile(self.tree, self.path, "exec"), vars(module))


def noticed(name: str, tree: ast.Module) -> bool:
    """Whether the tests of a module fail with a changed tree; in a process of its own."""
    process = os.fork()
    if not process:
        import pytest

        code = 1
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))  # endless loops are noticed
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        sys.meta_path.insert(0, Changed(name, tree))
        with contextlib.suppress(BaseException), contextlib.redirect_stdout(io.StringIO()):
            files = [str(ROOT / "tests" / file) for file in TESTS[name]]
            code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *files]))
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) != 0


def tried(name: str, changes: int, seed: int) -> tuple[list[str], list[str]]:
    """What the tests of a module notice, and what they do not."""
    source = (PACKAGE / f"{name}.py").read_text(encoding="utf-8")
    counter = Change()
    counter.visit(ast.parse(source))
    if noticed(name, ast.parse(source)):
        sys.exit(f"the tests of {name} fail without any change")
    found, missed = [], []
    order = np.random.default_rng(seed).permutation(counter.count)[:changes]
    for k in sorted(order):
        change = Change(k)
        tree = ast.fix_missing_locations(change.visit(ast.parse(source)))
        told = f"{name}: {change.said}"
        (found if noticed(name, tree) else missed).append(told)
        print("." if told in found else f"\n{told}", end="", flush=True)
    print(f"\n{name}: {len(found)} of {len(order)} noticed; {counter.count} are possible")
    return found, missed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", help=f"of {', '.join(TESTS)}; default all")
    parser.add_argument("--changes", type=int, default=60, help="of each module, at most")
    parser.add_argument("--seed", type=int, default=0, help="which changes")
    options = parser.parse_args()
    for heavy in ("pandas", "scipy.stats", "torch", "transformers", "seaborn", "gadjid", "pytest"):
        importlib.import_module(heavy)  # once, for all children
    # By what is changed, so that a line that moves keeps its judgement.
    judged = {line.split(" # ")[0] for line in JUDGED.read_text().splitlines() if line.strip()}
    found, missed = [], []
    for name in options.modules or TESTS:
        new_found, new_missed = tried(name, options.changes, options.seed)
        found, missed = found + new_found, missed + new_missed
    open_ones = [m for m in missed if without_line(m) not in judged]
    share = len(found) / (len(found) + len(missed))
    print(f"{share:.0%} of {len(found) + len(missed)} changes noticed; neither noticed nor judged:")
    print("\n".join(open_ones) or "none")
    sys.exit(share < 0.8 or bool(open_ones))


def without_line(told: str) -> str:
    """A change without the number of its line."""
    name, place, what = told.split(": ", 2)
    return f"{name}: {what}" if place.startswith("line") else told


if __name__ == "__main__":
    main()
