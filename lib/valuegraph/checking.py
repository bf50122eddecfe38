"""Can this model be asked? A few minutes that tell, before hours are spent on it.

Each check is one figure with what it has to be. Some are of the machinery, and must hold for any
model (a batch answers as a single prompt does); some are of the model (it says yes or no at all).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import psutil
import torch

from valuegraph.answers import LOW_MASS, score_answers
from valuegraph.elicitation import elicit
from valuegraph.encoding import encode, encode_prompts
from valuegraph.forward import ROUNDING
from valuegraph.interventions import Shift
from valuegraph.inventory import Inventory
from valuegraph.probing import states
from valuegraph.prompts import ANSWER_PREFIX, WORDINGS, PromptFormat, render_prompt
from valuegraph.pushes import mean_norm, stances
from valuegraph.reading import AnswerReader
from valuegraph.roles import RoleBank, sample_roles
from valuegraph.tables import generator


@contextmanager
def _noted(rows: dict[str, tuple], name: str) -> Iterator[None]:
    """Note what a model cannot do as a check that failed, and go on with the others."""
    try:
        yield
    except (ValueError, NotImplementedError) as error:
        rows[name] = str(error), "", False


def check_model(respondent, inventory: Inventory, bank: RoleBank, *, seed: int = 0) -> pd.DataFrame:
    """Check whether a respondent can be asked, by twelve questions or fewer in two roles.

    Parameters
    ----------
    respondent : Respondent
        From `valuegraph.load_model`.
    inventory, bank
        Give questions, roles and stances; the inventory needs items of both keys.
    seed : int
        Of the roles and of the direction that is pushed.

    Returns
    -------
    pandas.DataFrame
        By ``check``: ``figure``; ``wanted``, in words; ``passed``, missing where the figure is for
        information. The last row, ``"can be asked"``, is whether nothing failed.
    """
    values = inventory.values.iloc[:: -(-len(inventory.values) // 6)]  # six at most, spread
    items = inventory.items[inventory.items["value"].isin(values.index)]
    items = items.groupby(["value", "key"], sort=False).head(1).reset_index(drop=True)
    few = replace(inventory, values=values, items=items)
    # A base model has no template.
    fmt = PromptFormat(layout="chat" if respondent.tokenizer.chat_template else "kang-plain")
    ask, roles = partial(elicit, respondent, formats=[fmt]), sample_roles(bank, 2, seed=seed)
    exact, questions, rows = ROUNDING.get(respondent.model.dtype, 1e-3), list(few.items["text"]), {}

    with _noted(rows, "site tokens"):
        prompts = encode_prompts(respondent, questions, roles, fmt, ANSWER_PREFIX, find_sites=True)
        rows["site tokens"] = len(prompts.sites[0]), "found where they act", True
    formats = [replace(fmt, wording=w, yes_first=y) for w in WORDINGS for y in (True, False)]
    started = time.perf_counter()
    answers = ask(few, roles, formats=formats)
    rows["answers a second"] = len(answers) / (time.perf_counter() - started), "", None
    base = answers.loc[answers["format"] == fmt.name, "log_odds"].to_numpy()
    for name, mass in answers.groupby("format", sort=False)["mass"].mean().items():
        rows[f"mass, {name}"] = mass, f"{LOW_MASS:g} or more", mass >= LOW_MASS
    reader, alone = AnswerReader.of(respondent), []
    with torch.inference_mode():
        render = partial(render_prompt, respondent.tokenizer, fmt=fmt)
        for text in (render(question, role) for role in roles for question in questions):
            ids = torch.tensor([encode(respondent, text)], device=respondent.device)
            alone.append(reader.read(respondent.model(input_ids=ids).logits[:, -1])[0].item())
    figure = float(np.abs(alone - base).max())
    rows["difference, batch against alone"] = figure, f"{exact:g} at most", figure <= exact
    with _noted(rows, "pushes"):
        layer, vector = respondent.n_layers // 2, generator(seed).standard_normal(respondent.width)
        size = mean_norm(states(respondent, roles, layer=layer, fmt=fmt))
        vector *= 0.1 * size / np.linalg.norm(vector)
        pushes = [Shift(str(k), layer, k * vector, "everywhere") for k in (0, 1)]
        answers = ask(few, roles, interventions=pushes).groupby("intervention")
        pushed = (answers.get_group(one.name)["log_odds"] for one in pushes)
        still, moved = (float(np.abs(one - base).max()) for one in pushed)
        rows["difference, a push of nothing"] = still, f"{exact:g} at most", still <= exact
        rows["difference, a random push"] = moved, f"above {exact / 10:g}", moved > exact / 10
    with _noted(rows, "written: an answer"):
        written = ask(few, roles, mode="generate", max_new_tokens=60)["answer"]
        told = written != 0
        rows["written: an answer"] = told.mean(), "0.5 or more", told.mean() >= 0.5
        rows["written: as the log-odds"] = (written == np.sign(base))[told].mean(), "", None
    rows["says yes"] = (base > 0).mean(), "between 0.02 and 0.98", 0.02 <= (base > 0).mean() <= 0.98
    # The control: the same sentences, and the questions of other values under the same labels.
    other = replace(few, items=few.items.assign(text=np.roll(few.items["text"], -2)))
    high, low = (stances(inventory, bank, values=few.codes, levels=[k]) for k in (2, -2))
    moves = []
    for asked in (few, other):
        answers = ask(asked, roles, interventions=[*high, *low])
        scores = score_answers(answers).groupby("intervention").mean()
        pairs = zip(high, low, few.codes, strict=True)
        moves.append([scores.loc[h.name, v] - scores.loc[n.name, v] for h, n, v in pairs])
    own, control = map(np.mean, moves)
    rows["moved by words"] = own, "above 0 and the control", own > max(0, control)
    rows["moved by words, control"] = control, "questions of another value", None
    memory = torch.cuda.max_memory_allocated() or psutil.Process().memory_info().rss
    rows["memory (GB)"] = memory / 1e9, "", None
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["figure", "wanted", "passed"])
    well = bool(table["passed"].ne(False).all())
    table.loc["can be asked"] = well, "no check failed", well
    return table.rename_axis("check")
