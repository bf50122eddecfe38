"""Attack runs, files and arguments; say what held, and list what did not.

    python checks/faults.py                            # all attacks, some minutes
    python checks/faults.py --share .1 --seed 7        # a tenth of them, drawn by the seed
    python checks/faults.py --only kills               # one kind

What has to hold: a run loses and doubles nothing, whatever ends it; a file is whole or not there;
damaged answers are never taken for good ones; bad input ends in one line that names it, with exit
code 2, and trouble on the way with exit code 1. No traceback, and never a wrong result.
"""

from __future__ import annotations

import argparse
import errno
import itertools
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

import valuegraph as vg
from valuegraph import cli, runs
from valuegraph.inventory import Inventory, load_inventory
from valuegraph.organisms import organism_folder

Attack = Callable[[np.random.Generator, Path], str | None]
NAME = "organism-human"

# ---------------------------------------------------------------- what is attacked


def few_questions() -> Inventory:
    """Two values with two questions each."""
    whole = load_inventory()
    items = whole.items[whole.items["value"].isin(["SE", "ST"])]
    few = items.groupby(["value", "key"]).head(1)
    return Inventory("few", few, whole.values.loc[["SE", "ST"]])


def sweep() -> vg.Sweep:
    """24 roles in two formats: 48 cells in 12 blocks."""
    roles = [None, *vg.sample_roles(vg.load_role_bank(), 23, seed=5)]
    formats = (vg.PromptFormat(), vg.PromptFormat("say", yes_first=False))
    return vg.Sweep(NAME, few_questions(), roles, formats=formats, seeds=(5,), block_size=4)


def sound_scores() -> pd.DataFrame:
    """Scores of sixty roles on ten values, with nothing wrong."""
    scores = np.random.default_rng(3).normal(size=(60, 10))
    return pd.DataFrame(scores, columns=load_inventory().values.index).rename_axis("role")


def run(folder: Path) -> None:
    """Begin the run, or go on with it, and tell trouble as the command line does."""
    try:
        vg.run_sweep(sweep(), folder, progress=False)
    except (OSError, KeyboardInterrupt) as end:
        print(f"error: {end}", file=sys.stderr)
        raise SystemExit(1 if isinstance(end, OSError) else 130) from None


def answers_in(folder: Path) -> dict[str, bytes]:
    """Content of the files of answers that are there."""
    return {path.name: path.read_bytes() for path in folder.glob("answers-*.parquet")}


def child(function: Callable[[], object], *, kill: tuple | None = None) -> tuple[int, str]:
    """Call a function in a forked process; its exit code, or minus the signal, and what it said.

    `kill` is a signal and the seconds after which it is sent. What takes longer than a minute is
    ended (`SIGALRM`).
    """
    reads, writes = os.pipe()
    process = os.fork()
    if not process:
        code = 1
        os.dup2(writes, 2)
        sys.stdout = sys.stderr = open(2, "w", closefd=False)
        signal.alarm(60)
        try:
            function()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        except BaseException:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(code)
    os.close(writes)
    if kill:
        time.sleep(kill[1])
        os.kill(process, kill[0])
    with open(reads, errors="replace") as pipe:
        said = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), said


def call(*arguments: object) -> None:
    """The command line, as a user calls it."""
    sys.argv = ["valuegraph", *map(str, arguments)]
    cli.main()


def badly(said: str) -> bool:
    """Whether a traceback was shown, or its last line because nobody had foreseen it."""
    return "Traceback" in said or "not foreseen" in said


# ---------------------------------------------------------------- kills and full disks


def at_step(k: int, what: Callable[[], object]) -> None:
    """Do something before the k-th step that changes the disk."""
    steps = itertools.count(1)

    def wrap(function):
        def step(*arguments, **named):
            if next(steps) == k:
                what()
            return function(*arguments, **named)

        return step

    for name in ("fsync", "link", "replace"):
        setattr(os, name, wrap(getattr(os, name)))


def full() -> None:
    """What a full disk raises."""
    raise OSError(errno.ENOSPC, "No space left on device")


def goes_on(folder: Path, whole: dict[str, bytes], before: Callable[[], tuple]) -> str | None:
    """End a run in one way, then finish it: the bytes have to be those of the whole run."""
    code, said = before()
    if wrong := [name for name, content in answers_in(folder).items() if content != whole[name]]:
        return f"{wrong} were left half or wrong (exit {code})"
    early = code == 1 and said.rstrip().endswith("KeyboardInterrupt")  # before it began
    if "Traceback" in said and not early:
        return f"ended in a traceback: {said[-300:]}"
    if code == 1 and not early and "starting again is safe" not in said:
        return f"did not say that starting again is safe: {said[-300:]}"
    code, said = child(partial(run, folder))
    if code or answers_in(folder) != whole:
        return f"did not go on to the same bytes (exit {code}): {said[-300:]}"
    return None


def kills(whole: Path) -> Iterator[tuple[str, Attack]]:
    """End a run by a signal at a moment, at a step to the disk, or by a full disk."""
    good = answers_in(whole)

    def at_a_moment(kind, rng, folder):
        kill = (kind, rng.uniform(0, 1.0))
        return goes_on(folder / "run", good, lambda: child(begin, kill=kill))

    def at_a_step(what, rng, folder):
        def ends():
            at_step(int(rng.integers(1, 26)), what)
            run(folder / "run")

        return goes_on(folder / "run", good, lambda: child(ends))

    def begin():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as the command line does
        run(Path("run").absolute())

    def file_too_large(rng, folder):
        import resource  # Windows has none, and none of these attacks

        def ends():
            limit = int(rng.integers(0, 6000))
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            run(folder / "run")

        return goes_on(folder / "run", good, lambda: child(ends))

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    for i in range(8):
        for kind in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
            yield f"{kind.name} {i}", partial(at_a_moment, kind)
        yield f"killed at a step {i}", partial(at_a_step, die)
        yield f"disk full at a step {i}", partial(at_a_step, full)
        yield f"file too large {i}", file_too_large


def tables(whole: Path) -> Iterator[tuple[str, Attack]]:
    """A table that is there stays whole when the disk is full, and a run is never written over."""

    def onto_full_disk(rng, folder):
        (folder / "scores.csv").write_text("what was there")

        def writes():
            at_step(int(rng.integers(1, 3)), full)
            call("scores", whole, "--out", folder / "scores.csv", "--flat")

        code, said = child(writes)
        there = (folder / "scores.csv").read_text()
        if code == 1 and there == "what was there" and not badly(said):
            return None
        return f"exit {code}, {said!r}, the table holds {there[:40]!r}"

    def over_the_run(name, rng, folder):
        shutil.copytree(whole, folder / "run")
        before = (folder / "run" / name).read_bytes()
        out = folder / "run" / name
        code, said = child(partial(call, "scores", whole, "--out", out, "--flat"))
        same = out.read_bytes() == before
        return None if code == 2 and same else f"exit {code}, same {same}: {said!r}"

    def over_something(command, option, kind, rng, folder):
        sound_scores().to_csv(folder / "scores.csv")
        shutil.copytree(whole, folder / "run")
        os.mkfifo(folder / "pipe")
        (folder / "link.json").symlink_to(folder / "run" / "manifest.json")
        before = vg.read_run(folder / "run"), (folder / "scores.csv").read_bytes()
        code, said = child(partial(call, *command, option, folder / kind))
        after = vg.read_run(folder / "run"), (folder / "scores.csv").read_bytes()
        same = after[0].equals(before[0]) and after[1] == before[1] and (folder / "pipe").is_fifo()
        held = code == 2 and same and not badly(said)
        return None if held else f"exit {code}, same {same}: {said!r}"

    for i in range(6):
        yield f"full disk {i}", onto_full_disk
    for name in ("manifest.json", "answers-000003.parquet"):
        yield f"over {name}", partial(over_the_run, name)
    figures, scored = ("discover", "scores.csv"), ("scores", whole, "--flat")
    for kind in (
        "run/manifest.json",
        "run/answers-000002.parquet",
        "link.json",
        "run",
        "pipe",
        ".",
    ):
        for command, option in ((figures, "--json"), (scored, "--out")):
            yield f"{option} {kind}", partial(over_something, command, option, kind)
    yield "--json scores.csv", partial(over_something, figures, "--json", "scores.csv")


# ---------------------------------------------------------------- damaged files


def flips(whole: Path) -> Iterator[tuple[str, Attack]]:
    """Change one bit, cut the end, or exchange two files: named, or without consequence."""
    good = vg.read_run(whole)
    names = sorted(path.name for path in whole.iterdir())

    def damaged(how, rng, folder):
        shutil.copytree(whole, folder / "run")
        path = folder / "run" / rng.choice(names)
        content = bytearray(path.read_bytes())
        at = int(rng.integers(len(content)))
        if how == "bit":
            content[at] ^= 1 << int(rng.integers(8))
        elif how == "cut":
            del content[at:]
        elif how == "zeros":
            content[at : at + 64] = bytes(len(content[at : at + 64]))
        else:
            content = (folder / "run" / rng.choice(names)).read_bytes()
        path.write_bytes(content)
        try:
            read = vg.read_run(folder / "run")
        except ValueError as error:
            named = path.name in str(error) or "missing" in str(error)
            return None if named else f"{path.name}, {how} at {at}: {error}"
        return None if read.equals(good) else f"{path.name}, {how} at {at}: other answers"

    for i in range(150):
        for how in ("bit", "cut", "zeros", "exchange"):
            yield f"{how} {i}", partial(damaged, how)


def texts(whole: Path) -> Iterator[tuple[str, Attack]]:
    """Break files of users at random: a table, a questionnaire, roles, a structure, a config."""
    inventory = few_questions()
    table = inventory.items.join(inventory.values.loc[inventory.items["value"]].reset_index(drop=1))
    roles = pd.DataFrame({"name": ["ann", "bob"], "text": ["You live alone.", "You sing."]})
    structure = organism_folder(NAME) / "structure.json"
    asked = ("elicit", "--model", NAME, "--roles", 1, "--out", "out")
    files = {
        "scores.csv": (sound_scores().to_csv(), ("discover", "scores.csv")),
        "people.csv": (sound_scores().to_csv(), ("compare", "people.csv")),
        "items.csv": (table.to_csv(index=False), (*asked, "--inventory", "items.csv")),
        "roles.csv": (
            roles.to_csv(index=False),
            ("elicit", "--model", NAME, "--roles-file", "roles.csv", "--out", "out"),
        ),
    }
    for i in range(40):
        for name, (content, command) in files.items():
            yield f"{name} {i}", partial(broken_text, name, content, command)
        yield f"structure {i}", partial(broken_structure, json.loads(structure.read_text()))


def broken_text(name, content, command, rng, folder) -> str | None:
    """Break one file and use it."""
    path = folder / name
    path.write_bytes(mutated(content, rng))

    def use():
        os.chdir(folder)
        call(*command)

    code, said = child(use)
    return None if code in (0, 1, 2) and not badly(said) else f"exit {code}: {said[-400:]}"


def broken_structure(content, rng, folder) -> str | None:
    """Put something else into one place of a structural model, and read it."""
    odd = [None, [], {}, "x", -1, float("nan"), 1e999, True, [["SE", "SE", 1]], [["SE"]], ["SE"]]
    content, path = json.loads(json.dumps(content)), folder / "structure.json"
    place = content
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        key = keys[int(rng.integers(len(keys)))]
        if rng.random() < 0.4 or not isinstance(place[key], (dict, list)) or not place[key]:
            break
        place = place[key]
    if isinstance(place, dict) and rng.random() < 0.3:
        del place[key]
    else:
        place[key] = odd[int(rng.integers(len(odd)))]
    path.write_text(json.dumps(content if rng.random() < 0.9 else odd[int(rng.integers(5))]))
    try:
        vg.StructuralModel.load(path)
    except ValueError as error:
        return None if str(error) else "refused without a word"
    except Exception as error:
        return f"{path.read_text()[:300]}: {error!r}"
    return None


def mutated(content: str, rng: np.random.Generator) -> bytes:
    """A text with one to three faults of the kinds that editors, spreadsheets and disks make."""
    odd = ["nan", "inf", "-1e999", "", "x", "\x00", "\x1b[31m", "1,2", '"', "null", "[]", "{}", "é"]
    for _ in range(rng.integers(1, 4)):
        lines = content.split("\n")
        at, kind = int(rng.integers(len(lines))), rng.integers(7)
        if kind == 0:
            lines.pop(at)
        elif kind == 1:
            lines.insert(at, lines[at])
        elif kind == 2:
            lines[at] = rng.choice(odd)
        elif kind == 3:
            cells = lines[at].split(",")
            cells[rng.integers(len(cells))] = rng.choice(odd)
            lines[at] = ",".join(cells)
        elif kind == 4:
            lines = lines[: at + 1]
        elif kind == 5:
            lines[at] = lines[at].replace(",", ";")
        else:
            lines[at] = lines[at] + rng.choice(odd)
        content = "\n".join(lines)
    raw = content.encode()
    return raw if rng.random() < 0.9 else raw.decode().encode("utf-16")


def folders(whole: Path) -> Iterator[tuple[str, Attack]]:
    """Break one file of a model's folder, or of an autoencoder's: one line, and nothing made up."""
    source, few = organism_folder(NAME), few_questions()
    model = ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors")
    autoencoder = ("cfg.json", "sae_weights.safetensors")

    def broken(name, rng, folder):
        inside = Path("sae", name) if name in autoencoder else Path(name)
        shutil.copytree(source, folder / "model", ignore=shutil.ignore_patterns("*.md"))
        path = folder / "model" / inside
        path.write_bytes(damage(path, rng))

        def use():
            if name in autoencoder:
                try:
                    vg.feature_shift(vg.load_sae(path.parent), 1, coefficient=1.0)
                except (ValueError, OSError) as error:
                    print(error, file=sys.stderr)
                return
            table = few.items.join(few.values.loc[few.items["value"]].reset_index(drop=True))
            table.to_csv(folder / "few.csv", index=False)
            asked = ("--inventory", folder / "few.csv", "--roles", 1, "--out", folder / "out")
            call("elicit", "--model", folder / "model", *asked)

        code, said = child(use)
        return None if code in (0, 1, 2) and not badly(said) else f"exit {code}: {said[-400:]!r}"

    for i in range(12):
        for name in (*model, *autoencoder):
            yield f"{name} {i}", partial(broken, name)


def damage(path: Path, rng: np.random.Generator) -> bytes:
    """Content of a file with one thing wrong: an entry of JSON, a tensor, or the whole of it."""
    junk = [
        b"",
        b"[]",
        b"null",
        b"3",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b"version https://git-lfs",
    ]
    if rng.random() < 0.25:
        return junk[int(rng.integers(len(junk)))]
    if path.suffix == ".json":
        content = json.loads(path.read_text())
        odd = [None, -1, 0, 7, 10**9, "x", "", [], {}, 1.5, float("nan"), True]
        key = list(content)[int(rng.integers(len(content)))]
        content[key] = odd[int(rng.integers(len(odd)))]
        if rng.random() < 0.2:
            del content[key]
        return json.dumps(content).encode()
    raw, kind = path.read_bytes(), int(rng.integers(4))
    if kind == 0:
        return raw[: int(rng.integers(len(raw)))]
    # A length, a table of tensors in JSON, and their numbers.
    size = int.from_bytes(raw[:8], "little")
    table, numbers = json.loads(raw[8 : 8 + size]), bytearray(raw[8 + size :])
    names = [name for name in table if name != "__metadata__"]
    name = names[int(rng.integers(len(names)))]
    start = table[name]["data_offsets"][0]
    if kind == 1:
        table["another"] = table.pop(name)
    elif kind == 2:
        table[name]["shape"] = [1, *table[name]["shape"]]
    else:
        numbers[start : start + 4] = np.float32("nan").tobytes()
    told = json.dumps(table).encode()
    return len(told).to_bytes(8, "little") + told + bytes(numbers)


# ---------------------------------------------------------------- arguments

#: Wrong values of options: each is named, with exit code 2.
OPTIONS = {
    "elicit": {
        "--roles": [0, -1, 10**9, "many"],
        "--seed": [-1, "x"],
        "--role-kind": ["animal"],
        "--mode": ["guess"],
        "--wording": ["shout"],
        "--order": ["sideways"],
        "--layout": ["round"],
        "--max-new-tokens": [0, -5],
        "--shard": ["0/2", "3/2", "1", "a/b"],
        "--jobs": [0, -2],
        "--device": ["cuda:99", "tpu", "cpu:x"],
        "--dtype": ["int8", "float64x"],
        "--quantize": ["2bit"],
        "--batch-tokens": [0, -1],
        "--threads": [0, -1, 1_000_000],
        "--block-size": [0, -3],
        "--inventory": ["none-such", "missing.csv"],
        "--roles-file": ["missing.csv"],
        "--model": ["none-such", "./missing", ""],
    },
    "act": {"--roles": [0, -1], "--seed": [-1], "--floor": ["nan", -1], "--jobs": [0]},
    "discover": {"--method": ["guess"], "--alpha": [0, 1, -0.1, "nan", "x"], "--seed": [-1]},
    "compare": {"--human": ["martians"], "--treatment": ["boiled"], "--seed": [-1]},
}
BASE = {
    "elicit": {"--model": NAME, "--roles": 1, "--out": "out"},
    "act": {"--model": NAME, "--roles": 2, "--out": "out"},
    "discover": {},
    "compare": {},
}


def options(whole: Path) -> Iterator[tuple[str, Attack]]:
    """Give every option of the command line values that it cannot take."""

    def wrong(command, option, value, rng, folder):
        sound_scores().to_csv(folder / "scores.csv")
        given = BASE[command] | {option: value}
        if option == "--roles-file":
            del given["--roles"]
        words = [str(word) for pair in given.items() for word in pair]
        file = [] if "--out" in given else ["scores.csv"]

        def use():
            os.chdir(folder)
            call(command, *file, *words)

        code, said = child(use)
        # What is no number, the command line refuses by the option's name.
        named = str(value) in said.replace("\n", " ") or f"'{option}'" in said
        left = (folder / "out" / "manifest.json").exists()
        if code == 2 and named and not left and not badly(said):
            return None
        return f"exit {code}, value named {named}, manifest left {left}: {said[-300:]!r}"

    for command, each in OPTIONS.items():
        for option, wrong_values in each.items():
            for value in wrong_values:
                yield f"{command} {option} {value!r}", partial(wrong, command, option, value)


def calls(whole: Path) -> Iterator[tuple[str, Attack]]:
    """Give the arguments of functions values that they cannot take."""
    scores, answers, bank = sound_scores(), vg.read_run(whole), vg.load_role_bank()
    small, near = few_questions(), pd.DataFrame(1.0, scores.columns, scores.columns)
    seed = ["x", -1, np.nan, np.inf, None, [], 1.5, True]
    count = [0, *seed]
    # Function, argument, and the values that it cannot take.
    cases = [
        (partial(vg.discover, scores), "alpha", [0, 1, -0.1, np.nan, "x", None, [1], np.inf]),
        (partial(vg.discover, scores), "seed", seed),
        (partial(vg.discover, scores), "null_draws", ["x", -1, np.nan, 1.5, None, []]),
        (partial(vg.discover, scores), "method", ["guess", None, 1, []]),
        (partial(vg.bootstrap, scores), "n_resamples", count),
        (partial(vg.bootstrap, scores), "seed", seed),
        (partial(vg.compare, scores), "alpha", [0, 1, "x", None, np.nan]),
        (partial(vg.compare, scores), "draws", count),
        (partial(vg.compare, scores), "seed", seed),
        (partial(vg.compare_models, scores, scores), "margin", ["x", None, np.nan, 2]),
        (partial(vg.reliability, answers), "n_splits", count),
        (partial(vg.reliability, answers), "n_boot", seed),
        (partial(vg.reliability, answers), "seed", seed),
        (partial(vg.score_answers, answers), "by", ["x", None, 1]),
        (partial(vg.sample_roles, bank, seed=0), "n", seed),
        (partial(vg.sample_roles, bank, 3), "seed", seed),
        (partial(vg.sample_roles, bank, 3, seed=0), "p_fact", [-0.1, 1.5, np.nan, "x", None]),
        (partial(vg.sample_personas, seed=0), "n", seed),
        (partial(vg.split_items, small, seed=0), "share", [0, 1, np.nan, "x", None, -1]),
        (partial(vg.load_human), "name", ["martians", None, 3]),
        (partial(vg.load_inventory), "name", ["none-such", None, 3]),
        (partial(vg.load_truth), "name", ["none-such", None, 3]),
        (partial(vg.load_model), "name", ["none-such", None, 3, ""]),
        (partial(vg.load_model, NAME), "device", ["tpu", "cuda:99", 3]),
        (partial(vg.load_model, NAME), "dtype", ["int8", 3]),
        (partial(vg.load_sae), "source", ["none-such", None, 3]),
        (partial(vg.Shift, "up", vector=np.ones(3)), "layer", ["x", -1, 1.5, None, True]),
        (partial(vg.Shift, "up", 1), "vector", [np.array([np.nan]), np.array([np.inf]), "x", None]),
        (partial(vg.Sentence, "said"), "text", ["", " ", None, 3]),
        (partial(vg.PromptFormat), "wording", ["shout", None, 3]),
        (partial(vg.find_targets, answers, []), "alpha", [0, 1, -1, np.nan, "x", None]),
        (
            partial(vg.cosine, [1.0, 2.0]),
            "truth",
            [[0, 0], [np.nan, 1], [np.inf, 1], [1e300, 1e300]],
        ),
        (partial(vg.mantel, near), "guess", [near * np.nan, near * 1e300]),
        (partial(vg.discover), "data", [scores.iloc[:3], scores * np.nan, scores * 1j, near]),
        (partial(vg.compare), "scores", [scores.iloc[:3], scores * np.inf, scores[["AC"]]]),
        (partial(vg.score_answers), "answers", [pd.concat([answers] * 2), answers.iloc[:0]]),
        (
            partial(vg.score_answers),
            "answers",
            [answers.assign(key=k) for k in (2, 0, np.nan, "1")],
        ),
    ]

    def refused(function, name, value, rng, folder):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result = function(**{name: value})
        except (ValueError, TypeError, FileNotFoundError, RuntimeError) as error:
            return None if str(error).strip() else f"{type(error).__name__} without a word"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return f"was taken, and gave {str(result)[:80]!r}"

    for function, name, wrong_values in cases:
        for i, value in enumerate(wrong_values):
            shown = repr(value) if np.ndim(value) == 0 else f"{type(value).__name__} {i}"
            label = f"{function.func.__name__}({name}={shown[:40]})"
            yield label, partial(refused, function, name, value)


# ---------------------------------------------------------------- all of them

KINDS = {each.__name__: each for each in (kills, tables, flips, texts, folders, options, calls)}


def attack(
    share: float = 1.0, seed: int = 0, only: list[str] | None = None
) -> Iterator[tuple[str, str, str | None]]:
    """Make a share of the attacks; kind, name and what did not hold of each."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as base, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runs._load(sweep().model, None)  # once, for all children
        run(Path(base, "whole"))
        for kind in only or KINDS:
            listed = list(KINDS[kind](Path(base, "whole")))
            chosen = rng.permutation(len(listed))[: max(1, round(share * len(listed)))]
            for i in sorted(chosen):
                name, make = listed[i]
                with tempfile.TemporaryDirectory(dir=base) as folder:
                    here = os.getcwd()
                    os.chdir(folder)
                    try:
                        # Each attack has draws of its own, whatever share is made.
                        own = np.random.default_rng([seed, list(KINDS).index(kind), i])
                        yield kind, name, make(own, Path(folder))
                    finally:
                        os.chdir(here)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=1.0, help="of the attacks (default 1)")
    parser.add_argument("--seed", type=int, default=0, help="of moments, places and the share")
    parser.add_argument("--only", nargs="*", choices=list(KINDS), help="kinds of attacks")
    parser.add_argument("--each", action="store_true", help="name each attack")
    parser.add_argument("--json", type=Path, help="file for what did not hold")
    options = parser.parse_args()
    tried, fell, started = dict.fromkeys(KINDS, 0), [], time.perf_counter()
    for kind, name, problem in attack(options.share, options.seed, options.only):
        tried[kind] += 1
        if options.each:
            print(kind, name, f"{time.perf_counter() - started:.1f} s", flush=True)
        if problem:
            fell.append((kind, name, problem))
            print(f"FELL  {kind}: {name}: {problem}", flush=True)
    for kind, number in tried.items():
        lost = sum(kind == each[0] for each in fell)
        print(f"{kind:8} {number - lost} of {number} held")
    print(f"seed {options.seed}, {time.perf_counter() - started:.0f} s")
    if options.json:
        options.json.write_text(json.dumps(fell, indent=1))
    sys.exit(bool(fell))


if __name__ == "__main__":
    main()
