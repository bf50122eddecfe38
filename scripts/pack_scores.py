"""Make the tables of `studies/data/paper` from the original files, which are fetched once.

    python scripts/pack_scores.py

`scores.parquet` holds the recorded scores of Kang et al. (2025) as numbers: which file, feature (-1
without one), role (-1 without one; numbered from 1 as they first appear, the same in all files) and
the scores as they are. `questions.csv` holds how many questions of ValueBench speak for and against
each of the 17 values. No text of either source is kept; a test holds both against the originals.
"""

from __future__ import annotations

import pandas as pd
from measure_pages import ROOT

import valuegraph as vg
from studies.paper.recorded import ORIGINALS, choices
from valuegraph.downloads import fetch

FOLDER = ROOT / "studies" / "data" / "paper"
SOURCE = (
    "# Counted in data/value_orientation.csv of https://github.com/Value4AI/ValueBench (MIT; Ren et"
    " al., 2024) at commit 188773443c1f2f24ff3223e46216bd74ed91ae51: questions of each value to"
    " which yes speaks for it, and against it.\n"
)


def scores() -> pd.DataFrame:
    """All recorded scores, in the order of the files."""
    names = list(choices()["values"])
    tables = {file: pd.read_csv(fetch(name)) for file, name in ORIGINALS.items()}
    table = pd.concat(tables, names=["file"]).reset_index("file").reset_index(drop=True)
    kept = pd.DataFrame({"file": table["file"].astype("category")})
    kept["feature"] = table["steer_dim"].fillna(-1).astype("int32")
    numbers = pd.factorize(table["player_name"])[0] + 1  # 0 where there is no name
    kept["role"] = pd.Series(numbers).replace(0, -1).astype("int16")
    return kept.join(table[names].astype(float))


def questions() -> pd.DataFrame:
    """Numbers of questions by value."""
    bench = vg.load_inventory("valuebench17")
    labels = bench.items["value"].map(bench.values["label"].str.lower())
    counts = pd.crosstab(labels, bench.items["key"])
    values = choices()["values"]
    counts = counts.loc[[value.lower() for value in values]].set_axis(values)
    return counts.rename(columns={1: "for", -1: "against"})[["for", "against"]]


def main() -> None:
    scores().to_parquet(FOLDER / "scores.parquet", compression="zstd", index=False)
    text = SOURCE + questions().to_csv(index_label="value", lineterminator="\n")
    (FOLDER / "questions.csv").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
