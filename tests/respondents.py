"""Tiny untrained respondents, and the same questions asked one by one with hooks of their own."""

from functools import cache


def subword_tokenizer(inventory, bank, splitter, decoder, *, alphabet, special, template):
    """Train a byte-pair tokenizer on the organisms' language; the first special token is bos."""
    from tokenizers import Tokenizer, models, trainers
    from transformers import PreTrainedTokenizerFast

    from studies.training.language import corpus

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = splitter, decoder
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        min_frequency=1,
        initial_alphabet=alphabet,
        special_tokens=special,
        show_progress=False,
    )
    # Yes and no come often enough to become tokens of their own, as in any real vocabulary.
    tokenizer.train_from_iterator([*corpus(inventory, bank), *100 * ["no yes no No Yes"]], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=special[0], chat_template=template
    )


def random_respondent(name, config_class, tokenizer, **sizes):
    """Build a model of three layers with random weights, large enough to tell roles apart."""
    import torch
    from transformers import AutoModelForCausalLM

    from valuegraph.models import Respondent

    config = config_class(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        initializer_range=0.2,
        **sizes,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config)
    return Respondent(name, model.eval(), tokenizer)


def prompt_alone(respondent, question, role, intervention, fmt, prefill):
    """Token ids of one prompt, encoded in one piece, and a context in which its shifts act."""
    import contextlib
    from dataclasses import replace

    import torch

    from valuegraph.prompts import render_parts
    from valuegraph.roles import Role

    tokenizer = respondent.tokenizer
    shifts = () if intervention is None else intervention.shifts
    if intervention is not None and intervention.text:
        told = intervention.text
        role = (
            Role("told", told) if role is None else replace(role, text=" ".join([role.text, told]))
        )
    ((prefix, suffix),) = render_parts(tokenizer, [question], role, fmt=fmt, prefill=prefill)
    ids = tokenizer(prefix + suffix, add_special_tokens=False, return_tensors="pt")["input_ids"]
    instruction = prefix[: prefix.rindex(fmt.instruction) + len(fmt.instruction)]

    def tokens_before(end):
        return len(tokenizer(instruction.removesuffix(end), add_special_tokens=False)["input_ids"])

    site = slice(tokens_before(" your values."), tokens_before("."))
    places = {"site-end": slice(site.stop - 1, site.stop), "site": site, "prompt": slice(None)}

    def hook(shift, passes):
        def add(module, inputs, output):
            passes.append(module)
            if len(passes) > 1 and shift.where != "everywhere":
                return None
            moved = (output[0] if isinstance(output, tuple) else output).clone()
            moved[0, places.get(shift.where, slice(None))] += torch.from_numpy(shift.vector)
            return (moved, *output[1:]) if isinstance(output, tuple) else moved

        return add

    @contextlib.contextmanager
    def shifted():
        lists = [m for m in respondent.model.modules() if isinstance(m, torch.nn.ModuleList)]
        layers = next(m for m in lists if len(m) == respondent.n_layers)  # whatever its name
        handles = [layers[shift.layer].register_forward_hook(hook(shift, [])) for shift in shifts]
        yield
        for handle in handles:
            handle.remove()

    return ids, shifted()


@cache
def words_of(tokenizer):
    """The word that each token spells, without space and capitals."""
    return [tokenizer.decode(i).strip().lower() for i in range(len(tokenizer))]


def yes_and_no(respondent, logits):
    """Log-odds and mass of yes and no, summed over all tokens that spell one of them."""
    p = logits.double().softmax(-1)
    words = words_of(respondent.tokenizer)
    yes, no = (sum(p[i] for i, w in enumerate(words) if w == word) for word in ("yes", "no"))
    return float((yes / no).log()), float(yes + no)


def asked_alone(respondent, question, role=None, intervention=None, fmt=None):
    """One prompt through the whole model, with a hook of its own: log-odds and mass."""
    import torch

    from valuegraph.prompts import PromptFormat

    ids, shifted = prompt_alone(
        respondent, question, role, intervention, fmt or PromptFormat(), "Answer:"
    )
    with torch.no_grad(), shifted:
        return yes_and_no(respondent, respondent.model(ids).logits[0, -1])


def written_alone(respondent, question, role, intervention, fmt, *, max_new_tokens, ends):
    """One prompt continued by transformers: token ids, text, answer, log-odds and mass."""
    from valuegraph.reading import parse_answer

    tokenizer = respondent.tokenizer
    prefill = "Thought:" if fmt.think else "Answer:"
    prompt, shifted = prompt_alone(respondent, question, role, intervention, fmt, prefill)
    with shifted:
        output = respondent.model.generate(
            prompt,
            attention_mask=prompt.new_ones(prompt.shape),
            do_sample=False,
            max_new_tokens=max_new_tokens,
            eos_token_id=list(ends),
            pad_token_id=0,
            output_logits=True,
            return_dict_in_generate=True,
        )
    ids = output.sequences[0, prompt.shape[1] :].tolist()
    ids = ids[:-1] if ids[-1] in ends else ids
    text = tokenizer.decode(ids)
    answer, start = parse_answer(text, prefilled=not fmt.think)
    if start is None:
        return ids, text, answer, float("nan"), float("nan")
    step = next(n for n in range(len(ids)) if len(tokenizer.decode(ids[: n + 1])) > start)
    return ids, text, answer, *yes_and_no(respondent, output.logits[step][0])


def simulated_answers(
    items, *, n=40, formats=None, noise=1.0, yes_bias=0.4, order_bias=0.25, role_format=0.0, seed=0
):
    """Answers of `n` roles with normal values: every answer has noise of its own, and every score
    a disturbance by role and format."""
    import numpy as np
    import pandas as pd

    from valuegraph.answers import COLUMNS, NO_INTERVENTION
    from valuegraph.prompts import PromptFormat

    rng = np.random.default_rng(seed)
    values, place = np.unique(items["value"], return_inverse=True)
    own = rng.standard_normal((n, len(values)))
    frames = []
    for fmt in formats or [PromptFormat()]:
        here = own + role_format * rng.standard_normal(own.shape)
        log_odds = 1.5 * items["key"].to_numpy() * here[:, place] + yes_bias
        log_odds = log_odds + order_bias * (-1 if fmt.yes_first else 1)
        log_odds = log_odds + noise * rng.standard_normal(log_odds.shape)
        frame = items[["value", "item", "key"]].merge(
            pd.DataFrame({"role": [f"role{i:03d}" for i in range(n)]}), how="cross"
        )
        frame = frame.assign(
            model="simulated",
            intervention=NO_INTERVENTION,
            format=fmt.name,
            log_odds=log_odds.T.ravel(),
            answer=np.sign(log_odds.T.ravel()).astype(np.int8),
            mass=0.9,
        )
        frames.append(frame[list(COLUMNS)])
    return pd.concat(frames, ignore_index=True)


def scores_of(changed):
    """Scores of two values by intervention and role; the baseline is zero everywhere."""
    import pandas as pd

    from valuegraph.answers import NO_INTERVENTION

    n = len(next(iter(changed.values())))
    roles = [f"r{i}" for i in range(n)]
    frames = {NO_INTERVENTION: [(0.0, 0.0)] * n, **changed}
    return pd.concat(
        {name: pd.DataFrame(rows, roles, ["SE", "CO"]) for name, rows in frames.items()},
        names=["intervention", "role"],
    )
