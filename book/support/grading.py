"""Grade a folder of student notebooks: `python -m book_support.grading FOLDER --out grades.csv`.

Every cell with `check("label", answer)` is graded by itself. Of the notebook only the imports and
that cell are run, without the call, in a process of its own with limits on time and memory; so a
broken or endless cell costs its own points only. Whether the answer is right is decided in *this*
process, by this installation's `book_support.exercises`: a notebook that redefines `check`, or
changes what it imports, changes nothing here. A function that a student wrote stays in the
student's process, and is called from here (but see `INSIDE`).

Limits are no prison: students' code runs with the rights of whoever grades. For people whom you do
not trust, grade in a container. nbgrader and otter were not taken because both want their own marks
in the cells and their own layout of folders, and run a notebook from top to bottom.
"""

from __future__ import annotations

import argparse
import ast
import csv
import io
import json
import multiprocessing
import os
import pickle
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, fields
from functools import partial
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path

from book_support.exercises import check

#: Loaded once, before students' processes branch off.
PRELOAD = ["studies", "valuegraph.models", "valuegraph.plots", "book_support.exercises"]
PRELOAD += ["causallearn.search.ConstraintBased.PC", "IPython.display", "scipy.stats"]

#: Packages whose classes an answer may be made of, and what puts these together beside functions
#: with private names.
PACKAGES = {"numpy", "pandas", "pyarrow", "valuegraph", "collections", "datetime"}
PARTS = {"scalar", "type_for_alias", "py_buffer", "NA"}

#: Exercises whose answers cannot be called from another process: what they take or give has to stay
#: where it is. They are checked in the student's process, by checks that are read anew there; who
#: patches numpy itself can still deceive these few.
INSIDE = {"discover-null", "sae-hook"}
BUILTINS = {"complex", "slice", "range", "set", "frozenset", "bytearray"}

MOST_BYTES = 2**26  # of one answer, on its way here
CALL = re.compile(r"""\bcheck\(\s*["']([\w-]+)["']""")


@dataclass(frozen=True)
class Grade:
    """One exercise of one student; `problem` is empty if the answer is right."""

    student: str
    notebook: str
    label: str
    right: bool
    problem: str


@dataclass(frozen=True)
class Limits:
    """What one exercise may take: seconds, and gigabytes where the system can limit them."""

    seconds: float = 20.0
    gigabytes: float = 4.0


# ---------------------------------------------------------------- what stands in a notebook


def statements(source: str) -> list[ast.stmt]:
    """The statements of a cell, without what is meant for IPython."""
    return ast.parse(re.sub(r"(?m)^(\s*)[%!].*", r"\1pass", source)).body


def code_cells(path: Path) -> list[str]:
    """The source of every code cell; a ValueError if the file is no notebook."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"this is no notebook ({type(error).__name__})") from None


def is_setting(node: ast.stmt) -> bool:
    """Whether a statement imports, or gives a name in capitals a plain value, such as a seed."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return getattr(node, "module", "") != "__future__"
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Constant):
        return False
    return all(isinstance(to, ast.Name) and to.id.isupper() for to in node.targets)


def exercises(cells: Iterable[str]) -> Iterator[tuple[str, list[str] | None, str]]:
    """The label of each exercise, the pieces of code to run, and the answer or what is wrong."""
    settings: list[str] = []
    for source in cells:
        try:
            body = statements(source)
        except (SyntaxError, ValueError) as error:
            for label in dict.fromkeys(CALL.findall(source)):
                yield label, None, f"the cell cannot be read: {error}"
            continue
        settings += [ast.unparse(node) for node in body if is_setting(node)]
        places = [i for i, node in enumerate(body) if called(node)]
        if places:
            at = places[-1]
            label, answer = called(body[at])
            own = ast.unparse(ast.Module(body[:at], []))
            yield label, [*settings, own], answer
        else:
            for label in dict.fromkeys(CALL.findall(source)):
                yield label, None, "the cell has to end with the line check(...)"


def called(node: ast.stmt) -> tuple[str, str] | None:
    """Label and answer, as code, if a statement is a call of `check`."""
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call) or len(call.args) != 2:
        return None
    label, answer = call.args
    if ast.unparse(call.func) != "check" or not isinstance(label, ast.Constant):
        return None
    return str(label.value), ast.unparse(answer)


def is_part(module: str, name: str) -> bool:
    """Whether this is what pickles of arrays and tables are put together by."""
    return module.partition(".")[0] in PACKAGES and (name[:1] == "_" or name in PARTS)


# ---------------------------------------------------------------- the student's process


class Sender(pickle.Pickler):
    """Writes an answer; functions stay behind and get a number."""

    def __init__(self, file: io.BytesIO, kept: list[Callable]) -> None:
        super().__init__(file, protocol=4)
        self.kept = kept

    def persistent_id(self, value: object) -> int | None:
        """The number of a function."""
        if isinstance(value, type) or not callable(value):
            return None
        if is_part(getattr(value, "__module__", None) or "", getattr(value, "__name__", "")):
            return None
        self.kept.append(value)
        return len(self.kept) - 1


def serve(
    ours: Connection, code: list[str], answer: str, inside: str, folder: str, gigabytes: float
) -> None:
    """Run an exercise, send its answer, and call its functions until nobody asks any more.

    With a label `inside`, the answer is checked here, and what is wrong with it is sent.
    """
    if hasattr(os, "setsid"):
        os.setsid()  # so that what it starts can be ended with it
    limit_memory(gigabytes)
    names: dict[str, object] = {"__name__": "__main__"}
    kept: list[Callable] = []

    def reply(work: Callable[[], object]) -> None:
        try:
            file = io.BytesIO()
            Sender(file, kept).dump(work())
            ours.send_bytes(b"=" + file.getvalue())
        except BaseException as error:  # a student's code may raise anything, even an exit
            said = json.dumps([type(error).__name__, str(error)[:500]])
            ours.send_bytes(b"!" + said.encode())

    def run() -> object:
        for piece in code[:-1]:
            try:
                exec(piece, names)
            except Exception:  # a missing package costs only who uses it
                continue
        exec(code[-1], names)
        given = eval(answer, names)
        return fresh_check()(inside, given).problem if inside else given

    os.chdir(folder)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    reply(run)
    while True:  # until the other end is closed
        number, given, options = ours.recv()
        reply(partial(kept[number], *given, **options))


def fresh_check() -> Callable:
    """`check` and all checks as they stand in the files, whatever was done to them here."""
    for name in [name for name in sys.modules if name.startswith(check.__module__)]:
        del sys.modules[name]
    return import_module(check.__module__).check


def limit_memory(gigabytes: float) -> None:
    """Limit this process, where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    most = int(gigabytes * 2**30)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    except (ValueError, OSError):  # macOS refuses
        return


# ---------------------------------------------------------------- our process


class Receiver(pickle.Unpickler):
    """Reads an answer made of plain values, arrays, tables and graphs, and of nothing else."""

    def __init__(self, data: bytes, remote: Callable[[int], Callable]) -> None:
        super().__init__(io.BytesIO(data))
        self.remote = remote

    def persistent_load(self, number: int) -> Callable:
        """A function that stayed behind."""
        return self.remote(number)

    def find_class(self, module: str, name: str) -> object:
        """A class, or a function that rebuilds one; all else is refused."""
        package = module.partition(".")[0]
        if package in PACKAGES and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) or is_part(module, name):
                return found
        if module == "builtins" and name in BUILTINS:
            return super().find_class(module, name)
        raise TypeError(f"an answer cannot be a {module}.{name}")


class Remote:
    """A student's process, as seen from here."""

    def __init__(self, code: list[str], answer: str, inside: str, limits: Limits) -> None:
        self.limits = limits
        context = processes()
        self.connection, theirs = context.Pipe()
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        arguments = (theirs, code, answer, inside, self.folder.name, limits.gigabytes)
        self.process = context.Process(target=serve, args=arguments, daemon=True)
        self.process.start()
        self.deadline = time.monotonic() + limits.seconds
        theirs.close()

    def receive(self) -> object:
        """The next answer; what was raised there is raised here, under the same name."""
        if not self.connection.poll(max(0.0, self.deadline - time.monotonic())):
            raise TimeoutError(f"not done after {self.limits.seconds:g} seconds")
        try:
            said = self.connection.recv_bytes(MOST_BYTES)
        except (EOFError, OSError):
            raise ConnectionError("its process ended, or sent too much") from None
        if said[:1] == b"!":
            name, message = json.loads(said[1:])
            raise type(name, (Exception,), {})(message)
        return Receiver(said[1:], lambda number: partial(self.call, number)).load()

    def call(self, number: int, *given: object, **options: object) -> object:
        """Call one of the student's functions."""
        self.connection.send((number, given, options))
        return self.receive()

    def close(self) -> None:
        """End the process and all that it started."""
        self.connection.close()
        if hasattr(os, "killpg"):
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass  # it has ended, or has not yet a group of its own
        self.process.kill()
        self.process.join()
        self.folder.cleanup()


def processes() -> multiprocessing.context.BaseContext:
    """How processes are made: branched off one that has loaded the libraries, where that exists."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    return context


def problem_of(label: str, code: list[str], answer: str, limits: Limits) -> str:
    """What is wrong with an exercise; empty if nothing is."""
    inside = label if label in INSIDE else ""
    remote = Remote(code, answer, inside, limits)
    try:
        given = remote.receive()
    except Exception as error:  # under the name that it had there
        return f"it stops with {type(error).__name__}: {error}"
    else:
        return str(given or "") if inside else check(label, given).problem or ""
    finally:
        remote.close()


# ---------------------------------------------------------------- a folder


def submissions(folder: Path) -> list[tuple[str, Path]]:
    """Student and notebook: a student is a folder below `folder`, or a file in it."""
    paths = sorted(folder.rglob("*.ipynb"))
    paths = [p.relative_to(folder) for p in paths if ".ipynb_checkpoints" not in p.parts]
    return [(p.parts[0] if len(p.parts) > 1 else p.stem, p) for p in paths]


def grade_notebook(student: str, path: Path, folder: Path, limits: Limits) -> list[Grade]:
    """The grades of one notebook; of an exercise that stands there twice, the last counts."""
    name = path.as_posix()
    try:
        found = {label: rest for label, *rest in exercises(code_cells(folder / path))}
    except (ValueError, OSError) as error:
        return [Grade(student, name, "", False, str(error))]
    grades = []
    for label, (code, answer) in found.items():
        try:
            problem = answer if code is None else problem_of(label, code, answer, limits)
        except ValueError as error:  # `check` knows no such label
            problem = str(error)
        grades.append(Grade(student, name, label, not problem, " ".join(problem.split())))
    return grades


def with_missing(grades: list[Grade]) -> list[Grade]:
    """The grades, and a wrong one for each exercise that others have in the same chapter."""
    labels = {grade.label for grade in grades}
    own: dict[tuple[str, str], set[str]] = {}
    for grade in grades:
        own.setdefault((grade.student, grade.notebook), set()).add(grade.label)
    lost = []
    for (student, notebook), has in own.items():
        chapters = {label.partition("-")[0] for label in has}
        for label in sorted(labels - has):
            if label.partition("-")[0] in chapters:
                lost.append(Grade(student, notebook, label, False, "its cell is missing"))
    return sorted([*grades, *lost], key=lambda g: (g.student, g.notebook, g.label))


def grade_folder(folder: Path, limits: Limits = Limits(), jobs: int = 1) -> list[Grade]:
    """The grades of all notebooks below a folder."""
    with ThreadPoolExecutor(jobs) as pool:
        work = partial(grade_notebook, folder=folder, limits=limits)
        each = pool.map(lambda found: work(*found), submissions(folder))
        return with_missing([grade for grades in each for grade in grades])


def summary(grades: list[Grade]) -> str:
    """How many answers are right, by student and by exercise."""
    lines = []
    for of in ("student", "label"):
        asked = Counter(getattr(g, of) for g in grades if g.label)
        right = Counter(getattr(g, of) for g in grades if g.right)
        lines += [f"{name:<32} {right[name]:>3} of {n}" for name, n in sorted(asked.items())]
        lines.append("")
    lines += [f"{g.notebook}: {g.problem}" for g in grades if not g.label]
    return "\n".join(lines).rstrip()


def main(arguments: list[str] | None = None) -> None:
    """Grade a folder, write the table, print the summary."""
    parser = argparse.ArgumentParser(
        "python -m book_support.grading", description="Grade a folder."
    )
    parser.add_argument("folder", type=Path, help="a subfolder or a file for each student")
    parser.add_argument("--out", type=Path, default=Path("grades.csv"))
    parser.add_argument("--seconds", type=float, default=Limits.seconds, help="for one exercise")
    parser.add_argument("--memory", type=float, default=Limits.gigabytes, help="GB, for one")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="notebooks at a time")
    options = parser.parse_args(arguments)
    if not submissions(options.folder):
        parser.error(f"no notebook lies below {options.folder}")
    limits = Limits(options.seconds, options.memory)
    grades = grade_folder(options.folder, limits, options.jobs)
    with options.out.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(field.name for field in fields(Grade))
        table.writerows(map(astuple, grades))
    print(f"{summary(grades)}\n\nwrote {options.out}")


if __name__ == "__main__":
    main()
