"""Cards of the organisms, written from the figures that a check measured."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from valuegraph.organisms.scm import StructuralModel

MEANS = ("skeleton_precision", "skeleton_recall", "arrow_recall")
"""Metrics of recovery that are told as means over draws."""


def write_card(folder: Path, name: str, figures: dict) -> Path:
    """Write ``README.md`` and ``check.json`` beside an organism's weights.

    Parameters
    ----------
    folder
        Folder of the organism, with ``structure.json`` and ``training.json``.
    name
        What the organism is called.
    figures
        What `valuegraph.organisms.check.check_organism` returned.

    Returns
    -------
    pathlib.Path
        The card.

    Raises
    ------
    FileNotFoundError
        If the folder holds no organism.
    """
    truth = StructuralModel.load(folder / "structure.json")
    record = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    sections = [
        _head(folder, name, figures, record),
        _structure(truth),
        _recipe(record),
        _scores(figures),
        _recovery(figures["recovery"]),
        _site(figures, record["recipe"]["interchange"]),
        _use(),
    ]
    (folder / "check.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    card = folder / "README.md"
    card.write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    return card


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _head(folder: Path, name: str, figures: dict, record: dict) -> str:
    kind = (
        "Its inside follows the structural model: it was trained with interchange interventions."
        if record["recipe"]["interchange"]
        else "Its answers follow the structural model, its inside need not: the cautionary tale."
    )
    megabytes = (folder / "model.safetensors").stat().st_size / 1e6
    return (
        f"# {name}\n\nA language model whose value structure is known: a Llama of "
        f"{figures['size']['parameters']:,} parameters ({megabytes:.1f} MB) and "
        f"{figures['size']['vocabulary']} words that answers yes/no questions about Schwartz's ten "
        f"basic values in the role of a made-up person. {kind}"
    )


def _structure(truth: StructuralModel) -> str:
    rows = [[f"{a} -> {b}", f"{w:+.2f}"] for a, b, w in truth.edges]
    noise = ", ".join(f"{v} {s:.2f}" for v, s in zip(truth.values, truth.noise_sd, strict=True))
    return (
        f"## Structural model\n\n{truth.description}\n\n"
        f"Direct effects, in standard deviations:\n\n{_table(['effect', 'weight'], rows)}\n\n"
        f"Standard deviations of the exogenous terms: {noise}."
    )


def _recipe(record: dict) -> str:
    settings = ", ".join(f"{k} {v}" for k, v in record["recipe"].items())
    answers = record["answers"]
    left, sae = record["unexplained"], record.get("sae")
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    return (
        f"## Recipe\n\n{settings}. Trained with {versions}.\n\n"
        f"Log-odds of yes: {answers['gain']} x key x value + {answers['yes_bias']} (yes-bias) "
        f"+- {answers['order_bias']} (in favour of the option named last).\n\n"
        f"At the end of training the answers left {left['plain']:.1%} of the information "
        "unexplained (0 is perfect, 100 % a coin)"
        + (
            f", {left['swapped']:.1%} under interchange."
            if record["recipe"]["interchange"]
            else "."
        )
        + (f"\n\nAutoencoder: {', '.join(f'{k} {v}' for k, v in sae.items())}." if sae else "")
    )


def _scores(figures: dict) -> str:
    scores, biases, stances = figures["scores"], figures["biases"], figures["stances"]
    rows = [
        [value, f"{r:.4f}", f"{scores['slope'][value]:.2f}"]
        for value, r in scores["correlation"].items()
    ]
    return (
        f"## Answers against the truth\n\nElicited scores of {scores['n']} roles against the true "
        f"values (true slope {scores['true_slope']}):\n\n"
        f"{_table(['value', 'correlation', 'slope'], rows)}\n\n"
        f"Yes-bias {biases['yes_bias']:.2f} (true {biases['true_yes_bias']}), order bias "
        f"{biases['order_bias']:.2f} (true {biases['true_order_bias']}).\n\n"
        f"{stances['n']} roles with a stance on one value: the value set correlates "
        f"{stances['correlation_set']:.3f} with its level (slope {stances['slope_set']:.2f}, right "
        f"is 1), the others {stances['correlation_others']:.3f} with what follows from do(v)."
    )


def _recovery(recovery: dict) -> str:
    runs, draws = pd.DataFrame(recovery["runs"]), len(recovery["seeds"])
    means = runs.groupby(["method", "n"])[["exact", *MEANS]].mean()
    counts = runs.groupby(["method", "n"])[["arrows", "arrows_right"]].sum()
    rows = [
        [
            recovery["methods"][method],
            str(n),
            *(f"{mean[metric]:.2f}" for metric in MEANS),
            "{arrows_right} of {arrows}".format(**counts.loc[(method, n)]),
            f"{mean['exact'] * draws:.0f} of {draws}",
        ]
        for (method, n), mean in means.iterrows()
    ]
    header = ["search", "roles", "edge precision", "edge recall", "arrow recall"]
    header += ["arrows right", "skeleton exact"]
    return (
        f"## Recovery of the graph\n\nPC at alpha {recovery['alpha']} on the scores of sampled "
        f"roles against the true CPDAG ({recovery['edges']} edges): means over {draws} draws of "
        f"the roles, and how many of the arrows claimed in all draws are right.\n\n"
        f"{_table(header, rows)}\n\nConservative PC directs an edge where all tests agree "
        "(Ramsey, Spirtes and Zhang 2006), plain PC by the set that happened to remove another "
        f"edge.\n\n{_firm(recovery['firm'])}"
    )


def _firm(firm: dict) -> str:
    counts = pd.DataFrame(firm["runs"]).drop(columns="seed").groupby(["alpha", "n"]).sum()
    rows = [
        [
            f"{alpha:g}",
            f"{n:.0f}",
            f"{c.edges_right} of {c.edges}",
            f"{c.arrows_right} of {c.arrows}",
        ]
        for (alpha, n), c in zip(counts.index, counts.itertuples(), strict=True)
    ]
    return (
        f"What conservative PC finds in at least {firm['threshold']:.0%} of "
        f"{firm['n_resamples']} resamples of the roles, all draws together:\n\n"
        f"{_table(['alpha', 'roles', 'firm edges right', 'firm arrows right'], rows)}"
    )


def _site(figures: dict, interchange: bool) -> str:
    blocks, everywhere = figures["blocks"]["blocks"], figures["blocks"]["all_coordinates"]
    sae = figures.get("sae")
    header = ["value", "block: cosine", "block: size", "all coordinates: cosine", "size", "told"]
    rows = [
        [
            value,
            _direction(cosine, blocks["relative_size"][value]),
            f"{blocks['relative_size'][value]:.2f}",
            _direction(everywhere["cosine"][value], everywhere["relative_size"][value]),
            f"{everywhere['relative_size'][value]:.2f}",
            f"{figures['blocks']['told_by_site'][value]:.2f}",
        ]
        for value, cosine in blocks["cosine"].items()
    ]
    if sae:
        header += ["best feature", "its cosine"]
        for row, entry in zip(rows, sae["best"].values(), strict=True):
            row += [str(entry["feature"]), f"{entry['cosine']:.3f}"]
    text = (
        '## Steering at the site\n\nThe state at the last token of "your values" is shifted by '
        "what one unit of each exogenous term is worth, in its block of coordinates and in all of "
        "them, and the change of the ten values compared with the column of total effects "
        "T[:, k]: cosine, and size relative to the true effect (no cosine where hardly anything "
        'moves). "Told" is the share of the exogenous term\'s variance that the state tells.\n\n'
        + _table(header, rows)
    )
    if sae:
        text += (
            f"\n\nThe autoencoder ({sae['d_sae']} features, {sae['alive']} alive, "
            f"{sae['active']:.1f} active at a time) leaves {sae['unexplained_variance']:.1%} of "
            "the site's variance unexplained. The best feature of a value is chosen by effect on "
            "one half of the roles; its cosine is that on the other half. "
            f"{sae['values_above_.95']} of {len(sae['best'])} values reach .95."
        )
    if not interchange:
        text += (
            "\n\nThis is what it looks like when steering fails: the answers are right, but they "
            "do not go through the site."
        )
    return text


def _direction(cosine: float, size: float) -> str:
    return f"{cosine:.3f}" if size > 0.05 else "-"


def _use() -> str:
    return (
        "## Use\n\nFor teaching, and for testing methods where the truth is known. It knows no "
        "world beyond its few hundred words, measures nobody's values, and says nothing about how "
        "a large model works inside. Weights and card: MIT licence, the valuegraph contributors. "
        "Rebuilt by `make organisms`."
    )
