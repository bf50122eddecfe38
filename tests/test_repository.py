"""The repository itself: what stands in two places agrees, and nothing is there that must not."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections import Counter
from pathlib import Path

import measure_house
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NOTEBOOKS = sorted([*ROOT.glob("book/*.ipynb"), *ROOT.glob("notebooks/*.ipynb")])
EACH_NOTEBOOK = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)

# What is imported under another name than it is installed under.
IMPORT_NAMES = {"beautifulsoup4": "bs4", "causal-learn": "causallearn", "ipython": "IPython"}
IMPORT_NAMES |= {"markdown-it-py": "markdown_it", "pyyaml": "yaml"}

# What everyone installs: not what is of no use without a GPU, nor what the book's checks need.
EXTRAS = ",".join(e for e in PROJECT["optional-dependencies"] if e not in {"gpu", "check"})


def read_yaml(name: str) -> dict:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def package_name(requirement: str) -> str:
    return re.match(r"[\w.-]+", requirement)[0].lower()


def tracked_files() -> list[Path]:
    """What git has or would take; a copy without git is taken whole, without what is built."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
        names = listing.decode().split("\0")
        return [ROOT / name for name in names if name and (ROOT / name).is_file()]
    built = {".venv", "_build", "build", "__pycache__", ".pytest_cache", ".ruff_cache"}
    return [p for p in ROOT.rglob("*") if p.is_file() and not built & set(p.parts)]


@pytest.fixture(scope="module")
def set_repository():
    spec = importlib.util.spec_from_file_location(
        "set_repository", ROOT / "scripts" / "set_repository.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---------------------------------------------------------------- dependencies and versions


def imported_packages(tree: ast.AST) -> set[str]:
    """Top-level names of what is imported; what a `try` does without is not needed."""
    names = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Try) and "ImportError" in map(ast.unparse, exceptions(node)):
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[0])
        names |= imported_packages(node)
    return names


def exceptions(node: ast.Try) -> list[ast.expr]:
    return [handler.type for handler in node.handlers if handler.type is not None]


def declared_modules(requirements: list[str]) -> set[str]:
    names = {package_name(requirement) for requirement in requirements}
    return {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in names}


def imported_by(*folders: str) -> set[str]:
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    sources = [path.read_text(encoding="utf-8") for path in paths]
    imported = set().union(*(imported_packages(ast.parse(source)) for source in sources))
    return imported - set(sys.stdlib_module_names) - {"valuegraph", "studies", "book_support"}


def test_what_is_installed_imports_exactly_what_it_depends_on():
    imported = imported_by("lib", "studies", "book/support")
    # Glue does nothing where there is no book; pandas writes Parquet through pyarrow.
    assert (imported - {"myst_nb"}) | {"pyarrow"} == declared_modules(PROJECT["dependencies"])


def test_the_library_knows_nothing_of_what_is_built_on_it():
    sources = [p.read_text(encoding="utf-8") for p in (ROOT / "lib").rglob("*.py")]
    imported = set().union(*(imported_packages(ast.parse(source)) for source in sources))
    assert not imported & {"studies", "book_support"}


# ---------------------------------------------------------------- the size of the house

SOURCES = [*ROOT.glob("lib/valuegraph/*.py")]


def test_the_library_stays_small():
    library = measure_house.measure(ROOT / "lib" / "valuegraph")
    assert library["code"] <= 5000
    assert library["files"] <= 46
    assert library["public"] <= 70
    assert library["longest"] <= 400, library["longest_file"]
    assert library["cycles"] == []


def test_studies_stay_small():
    studies = measure_house.measure(ROOT / "studies")
    assert studies["physical"] <= 3500
    assert studies["longest"] <= 400, studies["longest_file"]
    assert studies["cycles"] == []


def test_no_test_file_is_long():
    lengths = {p.name: len(p.read_text().splitlines()) for p in ROOT.glob("tests/*.py")}
    assert [name for name, length in lengths.items() if length > 400] == []


def test_imports_stand_at_the_top_but_for_heavy_libraries():
    late = set()
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                late |= {(path.name, name) for name in imported_packages(function)}
    assert {name for _, name in late} <= {"sae_lens", "causallearn"}


def test_torch_stays_where_a_model_runs():
    running = {
        "checking", "elicitation", "encoding", "forward", "hooks", "models", "probing", "reading",
        "runs", "sae", "shared_prefix",
    }  # fmt: skip
    heavy = {"torch", "transformers"}
    importing = {p.stem for p in SOURCES if heavy & imported_packages(ast.parse(p.read_text()))}
    assert importing <= running


def test_nothing_in_the_library_is_reached_by_tests_alone():
    folders = ("lib", "studies", "book", "notebooks", "benchmarks", "scripts")
    users = [p for f in folders for p in (ROOT / f).rglob("*") if p.suffix in {".py", ".ipynb"}]
    words = Counter(re.findall(r"[A-Za-z_]\w*", "\n".join(p.read_text() for p in users)))
    unused = []
    for path in SOURCES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or node.name[:2] == "__":
                continue
            if words[node.name] < 2:
                unused.append(f"{path.name}: {node.name}")
    assert unused == []


@pytest.mark.parametrize(
    ("folder", "extras"),
    [
        ("tests", ["test", "book"]),
        ("scripts", ["test", "book", "course", "check"]),
        ("checks", ["test", "check", "book"]),
    ],
)
def test_what_is_around_the_library_imports_only_what_is_declared(folder, extras):
    extra = sum((PROJECT["optional-dependencies"][name] for name in extras), [])
    declared = declared_modules(PROJECT["dependencies"] + extra)
    own = {path.stem for path in [*ROOT.glob("scripts/*.py"), *ROOT.glob("tests/*.py")]}
    own |= {path.stem for name in ("benchmarks", "checks") for path in ROOT.glob(f"{name}/*.py")}
    assert imported_by(folder) <= declared | own


def test_every_dependency_says_why():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for requirement in sum(groups, []):
        assert re.search(rf'^ +"{re.escape(requirement)}", +# \w', text, re.M), requirement


def test_torch_and_numpy_have_no_upper_bound():
    loose = [r for r in PROJECT["dependencies"] if package_name(r) in {"torch", "numpy"}]
    assert len(loose) == 2
    assert not [r for r in loose if re.search(r"[<=~!]=?[^=]*$", r.split(">=")[1])]


def test_constraints_are_exact_and_cover_every_dependency():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    needed = {package_name(r) for r in sum(groups, [])}
    assert needed <= {package_name(pin) for pin in pins}


def test_environment_yml_is_in_step_with_pyproject():
    wanted = read_yaml("environment.yml")["dependencies"]
    programs = [entry for entry in wanted if isinstance(entry, str)]
    (pip,) = [entry["pip"] for entry in wanted if isinstance(entry, dict)]
    assert f"python{PROJECT['requires-python']}" in programs
    assert {"pip", "graphviz", "make", "git"} <= set(programs)
    assert pip == ["-c constraints.txt", f"-e .[{EXTRAS}]"]


def test_makefile_installs_what_environment_yml_installs():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"-c constraints.txt -e '.[{EXTRAS}]'" in makefile


def test_version_and_licences_agree():
    citation = read_yaml("CITATION.cff")
    assert str(citation["version"]) == PROJECT["version"]
    assert " AND ".join(citation["license"]) == PROJECT["license"]
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")
    assert "Attribution 4.0 International" in (ROOT / "LICENSE-TEXT").read_text(encoding="utf-8")
    holders = {a["name"] for a in citation["authors"]} | {a["name"] for a in PROJECT["authors"]}
    assert holders == {"The valuegraph contributors"}


def test_wheel_holds_every_file_of_the_packages(tmp_path):
    # A copy, so that setuptools leaves no build folder here.
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT"):
        shutil.copy(ROOT / name, tmp_path)
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    folders = {"lib/valuegraph": "valuegraph", "studies": "studies", "book/support": "book_support"}
    wanted = set()
    for folder, package in folders.items():
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignore)
        files = [p for p in (tmp_path / folder).rglob("*") if p.is_file()]
        wanted |= {f"{package}/{p.relative_to(tmp_path / folder).as_posix()}" for p in files}
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--wheel-dir", str(tmp_path / "wheel"), str(tmp_path)]
    subprocess.run(command, check=True)
    (wheel,) = (tmp_path / "wheel").glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == wanted


# ---------------------------------------------------------------- the code of the pages


def project_modules(source: str) -> set[str]:
    """What a cell imports of the project, but for `import valuegraph as vg`."""
    tree = ast.parse(re.sub(r"(?m)^(\s*)[%!].*", r"\1pass", source))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "valuegraph":
            names |= {f"valuegraph.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
    own = {"valuegraph", "studies", "book_support"}
    return {name for name in names if name.split(".")[0] in own} - {"valuegraph"}


@EACH_NOTEBOOK
def test_code_of_a_page_stands_in_short_cells_and_imports_little(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = {c["id"]: "".join(c["source"]) for c in cells if c["cell_type"] == "code"}
    installs = [c["id"] for c in cells if "colab-install" in c["metadata"].get("tags", [])]
    lines = {name: len(source.splitlines()) for name, source in code.items()}
    imports = next(name for name in code if name not in installs)
    long = {name: n for name, n in lines.items() if n > (12 if name == imports else 15)}
    assert long == {}, f"{path.name}: lines of cells that are too long, by their ids: {long}"
    modules = set().union(*map(project_modules, code.values()))
    assert len(modules) <= 3, f"{path.name} imports {sorted(modules)} beside valuegraph"


# ---------------------------------------------------------------- the public address


def test_address_is_in_step_everywhere(set_repository):
    assert set_repository.stale() == {}


@EACH_NOTEBOOK
def test_each_notebook_installs_itself_on_colab(path, set_repository):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    install = [c for c in cells if "colab-install" in c["metadata"].get("tags", [])]
    assert len(install) == 1
    assert f"git+{set_repository.address()}" in "".join(install[0]["source"])


def test_set_repository_changes_every_mention_and_nothing_else(set_repository, tmp_path):
    for path in [ROOT / "_config.yml", *set_repository.places(ROOT)]:
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(path, copy)
    here = set_repository.address()
    there = "https://github.com/someone-else/a-copy.of-it"
    before = {p: p.read_text(encoding="utf-8") for p in tmp_path.rglob("*") if p.is_file()}

    set_repository.main([there], root=tmp_path)
    moved = {p: p.read_text(encoding="utf-8") for p in before}
    short = here.removeprefix("https://github.com/")
    assert not [p for p, text in moved.items() if short in text]
    assert set_repository.stale(tmp_path) == {}

    set_repository.main([here], root=tmp_path)
    after = {p: p.read_text(encoding="utf-8") for p in before}
    assert after == before


@pytest.mark.parametrize("url", ["", "http://x.org/a/b", "https://github.com/only-owner"])
def test_set_repository_refuses_an_address_that_colab_cannot_open(set_repository, tmp_path, url):
    shutil.copy(ROOT / "_config.yml", tmp_path)
    with pytest.raises(ValueError, match="https://github.com/OWNER/NAME"):
        set_repository.main([url], root=tmp_path)


# ---------------------------------------------------------------- what does not belong here


def test_no_file_is_over_5_mb():
    assert not [p for p in tracked_files() if p.stat().st_size > 5_000_000]


def test_no_text_file_holds_a_path_of_one_machine():
    # Written in two halves, so that this file passes its own test.
    machine = re.compile(r"(?<![\w.:/-])/(?:" + "work|root|home|Users|tmp" + r")/\w")
    found = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [(path.name, line) for line in text.splitlines() if machine.search(line)]
    assert found == []
