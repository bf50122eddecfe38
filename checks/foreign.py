"""Run chapters 01 to 06 and 08 with a model that they were not written for.

    python checks/foreign.py                       # small models that are made here
    python checks/foreign.py FOLDER_OR_NAME ...    # yours
    python checks/foreign.py --pages 01 08 -- FOLDER

The one line that names the model is replaced, nothing else. Each page has to run to its end, no
cell may speak of an organism's truth as of the model's, and no question may be asked under hundreds
of pushes. Printed are the cells that were skipped, with the reason, and how many questions a page
asked. `make foreign` runs this; it takes some minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

#: What a reader changes.
MODEL_LINE = re.compile(r'(?m)^MODEL = "[^"]+"')
PAGES = [p for p in sorted((ROOT / "notebooks").glob("0*.ipynb")) if p.name[:3] in (
    "01_", "02_", "02b", "03_", "04_", "05_", "06_", "08_"
)]  # fmt: skip
#: Interventions beside asking without one that a single call may ask, at most.
MOST_PUSHES = 150

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def make_models(folder: Path) -> list[Path]:
    """Write small models: two of random weights, and one that answers well, of unknown truth."""
    import conftest
    import numpy as np
    import torch
    from respondents import random_respondent, subword_tokenizer
    from sae_lens import StandardSAE, StandardSAEConfig
    from sae_lens.saes.sae import SAEMetadata
    from tokenizers import decoders, pre_tokenizers
    from transformers import Gemma2Config, Qwen3Config

    import valuegraph as vg

    inventory, bank = vg.load_inventory(), vg.load_role_bank()
    bytes_of = pre_tokenizers.ByteLevel
    heads = {"num_key_value_heads": 2, "head_dim": 8}
    for name, config, special, template, sizes in (
        ("qwen3", Qwen3Config, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], CHATML, {}),
        (
            "gemma2",
            Gemma2Config,
            ["<bos>", "<start_of_turn>", "<end_of_turn>"],
            conftest.GEMMA_TEMPLATE,
            {"sliding_window": 4096, "query_pre_attn_scalar": 8},
        ),
    ):
        tokenizer = subword_tokenizer(
            inventory,
            bank,
            bytes_of(add_prefix_space=False),
            decoders.ByteLevel(),
            alphabet=bytes_of.alphabet(),
            special=special,
            template=template,
        )
        respondent = random_respondent(name, config, tokenizer, **heads, **sizes)
        respondent.model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    # An organism without its papers answers as a good model does, and 16,384 features are many.
    stranger = folder / "stranger"
    papers = shutil.ignore_patterns("structure.json", "training.json", "check.json", "sae")
    shutil.copytree(vg.organisms.organism_folder("organism-alien"), stranger, ignore=papers)
    metadata = SAEMetadata(hook_name="blocks.2.hook_resid_post")
    sae = StandardSAE(StandardSAEConfig(d_in=96, d_sae=16_384, metadata=metadata))
    rng = np.random.default_rng(0)
    for weights, size in ((sae.W_enc, 0.1), (sae.W_dec, 0.1), (sae.b_enc, 0.5)):
        drawn = size * rng.standard_normal(tuple(weights.shape))
        weights.data = torch.tensor(drawn, dtype=torch.float32)
    sae.save_model(stranger / "sae")
    return [folder / "qwen3", folder / "gemma2", stranger]


def run_page(page: Path, model: str, folder: Path) -> dict:
    """Run a page's cells one after another, as a kernel does; return what happened."""
    import os

    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    import valuegraph as vg

    os.chdir(folder)  # chapter 08 keeps its run where it is
    asked = {"pushes": 0, "questions": {}}
    elicit = vg.elicit

    def counted(respondent, *arguments, **options):
        answers = elicit(respondent, *arguments, **options)
        name = str(respondent.name)
        asked["questions"][name] = asked["questions"].get(name, 0) + len(answers)
        asked["pushes"] = max(asked["pushes"], answers["intervention"].nunique())
        return answers

    vg.elicit = counted
    shell = InteractiveShell.instance()
    shell.enable_gui = lambda gui: None  # there is no window
    shell.run_line_magic("matplotlib", "inline")
    cells = json.loads(page.read_text(encoding="utf-8"))["cells"]
    code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    named = [n for n, source in enumerate(code) if MODEL_LINE.search(source)]
    result = {"asked": asked, "skipped": [], "failed": []}
    if len(named) != 1:
        result["failed"].append(f"{len(named)} cells name a model")
    for number, source in enumerate(code):
        source = MODEL_LINE.sub(f"MODEL = {model!r}", source)
        with capture_output() as captured:
            outcome = shell.run_cell(source, store_history=True)
        first = source.strip().splitlines()[0]
        for line in captured.stdout.splitlines():
            if line.startswith("Skipped: "):
                result["skipped"].append((number, first, line))
        if number in named or "load_answerer" in source:
            result.setdefault("said", "")
            result["said"] += captured.stdout
        if "Traceback" in captured.stderr:
            result["failed"].append(f"cell {number} ({first}): {captured.stderr[-300:]}")
        if not outcome.success:
            error = outcome.error_in_exec or outcome.error_before_exec
            result["failed"].append(f"cell {number} ({first}): {type(error).__name__}: {error}")
    if asked["pushes"] > MOST_PUSHES + 1:
        result["failed"].append(f"{asked['pushes']} pushes at a time")
    return result


def _told(page: Path, model: str, folder: Path, verbose: bool) -> list[str]:
    """Run a page in this process, and print what came of it."""
    began = time.perf_counter()
    result = run_page(page, model, folder)
    asked = result["asked"]
    questions = ", ".join(f"{Path(name).name} {n:,}" for name, n in asked["questions"].items())
    print(
        f"{page.stem}, {Path(model).name}: {time.perf_counter() - began:.0f} s, up to "
        f"{asked['pushes'] - 1} pushes, {len(result['skipped'])} cells skipped; questions to "
        f"{questions}",
        flush=True,
    )
    if verbose:
        print(result.get("said", ""))
        for number, first, line in result["skipped"]:
            print(f"   [{number}] {first[:40]:40}  {line[:150]}")
    for failure in result["failed"]:
        print(f"   FAILED {failure}", flush=True)
    return result["failed"]


def check_model(model: str) -> None:
    """Put the model through `valuegraph check-model`, which must not fail on its machinery."""
    from typer.testing import CliRunner

    from valuegraph.cli import app

    result = CliRunner().invoke(app, ["check-model", model])
    print(result.output)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception


def main() -> None:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    from freeze_pages import HEAVY

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", help="names or folders; by default small ones")
    parser.add_argument("--pages", nargs="*", help="beginnings of names, such as 01 02b")
    parser.add_argument("--quiet", action="store_true", help="leave out the cells skipped")
    options = parser.parse_args()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(HEAVY)
    failures = []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        models = options.models or make_models(folder)
        wanted = tuple(options.pages or [""])
        for model in map(str, models):
            check_model(model)
            for page in [p for p in PAGES if p.name.startswith(wanted)]:
                with ProcessPoolExecutor(1, mp_context=context) as process:
                    work = process.submit(_told, page, model, folder, not options.quiet)
                    failures += [f"{page.stem}, {model}: {f}" for f in work.result()]
    if failures:
        sys.exit("\n".join(["", *failures]))


if __name__ == "__main__":
    main()
