"""Run the pages of the book that changed, several at a time, and keep their results.

`make book` does so before it builds: Sphinx runs one page after another. It finds the results in
the same cache. A page that fails is run again there, which then says why.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml
from jupyter_cache import get_cache
from jupyter_cache.executors import load_executor
from measure_pages import ROOT, pages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cache", type=Path, help="folder of the results")
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    cache = get_cache(parser.parse_args().cache)
    for page in pages():
        cache.add_nb_to_project(str(ROOT / page))
    result = load_executor("local-parallel", cache).run_and_cache(
        timeout=settings["execute"]["timeout"]
    )
    for outcome in ("succeeded", "excepted", "errored"):
        names = sorted(Path(uri).stem for uri in getattr(result, outcome))
        if names:
            print(f"{outcome}: {', '.join(names)}", flush=True)


if __name__ == "__main__":
    main()
