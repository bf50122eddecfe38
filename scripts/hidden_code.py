"""What a notebook needs of the cells that the book hides.

Most of them only keep numbers for the text (`glue`), and an edition has its numbers already. Some
make a name that a later cell uses. So the statements are looked at from the last to the first, with
the names that are still to be read: what makes none of them is left out.
"""

from __future__ import annotations

import ast
import re
import symtable


def names_in(node: ast.AST) -> set[str]:
    """The plain names of an expression."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def stored(node: ast.AST) -> set[str]:
    """The names that an expression or a statement gives a value."""
    names = (n for n in ast.walk(node) if isinstance(n, ast.Name))
    return {n.id for n in names if isinstance(n.ctx, ast.Store)}


def names_of_comprehensions(node: ast.AST) -> set[str]:
    """The names that are read only inside comprehensions that make them themselves.

    From Python 3.12 on, the table of symbols counts them among those around the comprehension.
    """

    def loads(part: ast.AST, made: frozenset[str]) -> set[str]:
        if isinstance(part, ast.Name):
            return {part.id} - made if isinstance(part.ctx, ast.Load) else set()
        inner = made
        if hasattr(part, "generators"):
            inner = made.union(*(stored(each.target) for each in part.generators))
        found = set().union(*(loads(child, inner) for child in ast.iter_child_nodes(part)))
        # Where the first one iterates is read outside.
        return found | loads(part.generators[0].iter, made) if inner is not made else found

    parts = [n for n in ast.walk(node) if hasattr(n, "generators")]
    targets = set().union(*(stored(each.target) for part in parts for each in part.generators))
    return targets - loads(node, frozenset())


class Reader:
    """Tells which names code reads, also by way of the functions that it calls."""

    def __init__(self, modules: list[ast.Module]) -> None:
        made = [node for module in modules for node in module.body]
        made = [n for n in made if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
        self.inside = {node.name: self.direct(node) for node in made}

    @staticmethod
    def direct(node: ast.AST) -> set[str]:
        """The global names that code reads itself, inside of its functions, too."""

        def of(table: symtable.SymbolTable) -> set[str]:
            used = [s for s in table.get_symbols() if s.is_referenced()]
            top = table.get_type() == "module"
            return {s.get_name() for s in used if top or s.is_global()}.union(
                *map(of, table.get_children())
            )

        source = ast.unparse(node)
        own = names_of_comprehensions(node)
        # pandas reads names in strings: `table.query("value == @best")`.
        found = of(symtable.symtable(source, "cell", "exec")) - own
        found |= {*re.findall(r"@(\w+)", source)}
        return found | (names_in(node.target) if isinstance(node, ast.AugAssign) else set())

    def reads(self, node: ast.AST) -> set[str]:
        """The names that code reads, those of the functions that it names among them."""
        found, new = set(), self.direct(node)
        while new:
            found |= new
            new = set().union(*(self.inside.get(name, set()) for name in new)) - found
        return found

    def before(self, statements: list[ast.stmt], live: set[str]) -> set[str]:
        """The names that must be there before the statements, if `live` must be after them."""
        for node in reversed(statements):
            if isinstance(node, ast.For):
                body = self.before(node.body, live) - names_in(node.target)
                live = live - names_in(node.target) | body | self.reads(node.iter)
            elif isinstance(node, ast.FunctionDef):
                # What it reads when it is called, `reads` finds where it is named.
                head = [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults]
                live = live - {node.name}
                live = live.union(*(self.reads(part) for part in head if part))
            elif isinstance(node, ast.If):
                ways = [self.before(node.body, live), self.before(node.orelse, live)]
                live = self.reads(node.test).union(*ways)
            elif isinstance(node, ast.Try):
                done = [*node.body, *node.orelse, *node.finalbody]
                ways = [self.before(way, live) for way in (done, *(h.body for h in node.handlers))]
                live = set().union(*ways) - {h.name for h in node.handlers}
            elif isinstance(node, ast.With):
                live = self.before(node.body, live)
                for item in node.items:
                    live -= names_in(item.optional_vars) if item.optional_vars else set()
                    live |= self.reads(item.context_expr)
            else:
                live = live - made_anew(node) | self.reads(node)
        return live


def made_anew(node: ast.stmt) -> set[str]:
    """The names whose old value is gone after a statement."""
    if isinstance(node, ast.Assign):
        return set().union(*(stored(target) for target in node.targets))
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(a.asname or a.name).split(".")[0] for a in node.names}
    return {node.name} if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else set()


def made_or_changed(statement: ast.stmt) -> set[str]:
    """The names that a statement may make or change: rather too many."""
    found = made_anew(statement) | stored(statement)
    for node in ast.walk(statement):
        # `table["x"] = ...` and `names.append(...)` change what stands at their root.
        if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Store):
            found |= names_in(node.value)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            found |= names_in(node.value.func)
    return found


class WithoutCalls(ast.NodeTransformer):
    """Takes out the calls of some functions, and loops of which nothing is left."""

    def __init__(self, functions: set[str]) -> None:
        self.functions = functions

    def generic_visit(self, node: ast.AST) -> ast.AST | None:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            if ast.unparse(node.value.func) in self.functions:
                return None
        if isinstance(node, ast.FunctionDef) and node.name in self.functions:
            return None
        super().generic_visit(node)
        return None if isinstance(node, ast.stmt) and getattr(node, "body", 1) == [] else node


def needed_code(cells: list[dict]) -> dict[int, str]:
    """What has to stay of each hidden cell, by its place among the cells."""
    code = {i: c["source"] for i, c in enumerate(cells) if c["cell_type"] == "code"}
    code = {i: re.sub(r"(?m)^(\s*)[%!].*", r"\1pass", source) for i, source in code.items()}
    trees = {i: ast.parse(source) for i, source in code.items()}
    hidden = [i for i in code if "remove-cell" in cells[i]["metadata"].get("tags", [])]
    reader = Reader(list(trees.values()))
    # `glue`, and the functions of hidden cells that do nothing else.
    gluing = {"glue"} | {
        node.name
        for i in hidden
        for node in trees[i].body
        if isinstance(node, ast.FunctionDef) and "glue" in reader.inside[node.name]
    }
    # Solutions use names, too; each is run by itself, when the page is done.
    text = "\n".join(c["source"] for c in cells if c["cell_type"] == "markdown")
    solutions = map(ast.parse, re.findall(r"(?ms)^```python\n(.*?)^```", text))
    live = set().union(*(reader.before(solution.body, set()) for solution in solutions))
    needed = {}
    for i in sorted(code, reverse=True):
        if i not in hidden:
            live = reader.before(trees[i].body, live)
            continue
        kept = []
        for statement in reversed(trees[i].body):
            source = ast.get_source_segment(code[i], statement)
            left = WithoutCalls(gluing).visit(statement)
            if left is not None and made_or_changed(left) & live:
                changed = any(f"{name}(" in source for name in gluing)
                kept.insert(0, ast.unparse(left) if changed else source)
                live = reader.before([left], live)
        needed[i] = "\n".join(kept)
    return needed
