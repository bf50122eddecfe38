"""How fast questions are put: the protocol of Kang et al. (2025), a plain forward pass, and ours.

All run in one process, on the same model with random weights and on the same prompts::

    python benchmarks/elicitation.py --json figures.json

Random weights answer nonsense at full cost: the model is never asked to stop early, so every
generated answer takes all its tokens in both protocols.

All questions to a role share its prefix. They could also share their own first words, in a tree of
prompts. On the shipped questions that would spare 12 % of a role's tokens with the tokenizer of
Qwen2.5 and 14 % with that of the organisms, and one prefix for both orders of yes and no another
3 %, since every question ends in tokens of its own. That is too little to be built; each run prints
the share that a tree would spare at most. On a CPU a model is asked in bfloat16 as well; see
`precision.py` for what that changes in the answers of a real model.
"""

from __future__ import annotations

import argparse
import statistics
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

import pandas as pd
import torch
from book_support.gpus import config_of
from measuring import machine, matrix_product_peak, peak_memory, seconds, write_json
from rich.console import Console
from rich.table import Table
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    GemmaConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
)

import valuegraph as vg
from studies.training.language import corpus
from valuegraph.elicitation import DoubtfulAnswers
from valuegraph.encoding import EncodedPrompts, encode_prompts
from valuegraph.inventory import Inventory
from valuegraph.models import Respondent, _compute_logits_in_float32
from valuegraph.prompts import PromptFormat, render_parts
from valuegraph.reading import AnswerReader, parse_answer
from valuegraph.roles import Role
from valuegraph.shared_prefix import can_share

#: About 80 million parameters in the proportions of Gemma-2B.
SMALL = {
    "hidden_size": 512,
    "intermediate_size": 4096,
    "num_hidden_layers": 9,
    "num_attention_heads": 8,
    "num_key_value_heads": 1,
    "head_dim": 64,
    "vocab_size": 32_768,
}

SHAPES = {
    "gemma-80m": GemmaConfig(**SMALL),
    # Two layers in three see the last 1024 tokens alone, which holds any prompt.
    "gemma3-80m": Gemma3TextConfig(
        **SMALL,
        query_pre_attn_scalar=64,
        layer_types=3 * ["sliding_attention", "sliding_attention", "full_attention"],
        sliding_window=1024,
    ),
    "gemma-2b": config_of("gemma-2b-it"),
}

THINK = PromptFormat(think=True)

#: Gemma's frame for a turn.
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ '<start_of_turn>' + m['role'] + '\n' + "
    "m['content'] + '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<start_of_turn>model\n' }}{% endif %}"
)


def random_respondent(
    name: str, config: PreTrainedConfig, device: torch.device, dtype: torch.dtype
) -> Respondent:
    """Any architecture with random weights, and the tokenizer of `trained_tokenizer`."""
    # It never ends its turn by itself: all protocols write as many tokens.
    config.eos_token_id, config.pad_token_id, config.bos_token_id = None, 0, 1
    torch.manual_seed(0)
    with device:
        model = AutoModelForCausalLM.from_config(config, dtype=dtype).eval()
    model.generation_config.eos_token_id = None
    if dtype != torch.float32:  # as `load_model` does
        _compute_logits_in_float32(model)
    return Respondent(name, model, trained_tokenizer())


@cache
def trained_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer trained on the items and roles, with Gemma's frame for a turn."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    special = ["<pad>", "<bos>", "<start_of_turn>", "<end_of_turn>"]
    trainer = trainers.BpeTrainer(
        vocab_size=4000,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [*corpus(vg.load_inventory(), vg.load_role_bank()), *50 * ["yes no Yes No"]]
    inner.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token="<bos>",
        pad_token="<pad>",
        padding_side="left",
        chat_template=TEMPLATE.replace("m['role']", "m['role'].replace('system', 'user')"),
    )


def long_roles(respondent: Respondent, n: int, tokens: int) -> list[Role]:
    """Roles of life facts, until the text before the question has about so many tokens."""
    facts = vg.load_role_bank().facts["text"].sample(frac=1, random_state=0).tolist()
    roles = []
    for i in range(n):
        text, k = [], i
        while True:
            role = Role(f"role{i}", " ".join([*text, facts[k % len(facts)]]))
            prefix = render_parts(respondent.tokenizer, ["?"], role, fmt=THINK)[0][0]
            if (
                text
                and len(respondent.tokenizer(prefix, add_special_tokens=False).input_ids) > tokens
            ):
                break
            text.append(facts[k % len(facts)])
            k += n
        roles.append(Role(f"role{i}", " ".join(text)))
    return roles


@contextmanager
def plain_head(model: torch.nn.Module) -> Iterator[None]:
    """Let the model compute logits in its own type, as anybody else would."""
    head = model.get_output_embeddings()
    hooks, head._forward_hooks = head._forward_hooks, type(head._forward_hooks)()
    try:
        yield
    finally:
        head._forward_hooks = hooks


def paper_protocol(
    respondent: Respondent, questions: list[str], role: Role, *, new_tokens: int
) -> list[int]:
    """Generate for eight whole prompts at a time, and parse."""
    tokenizer, answers = respondent.tokenizer, []
    for start in range(0, len(questions), 8):
        parts = render_parts(
            tokenizer, questions[start : start + 8], role, fmt=THINK, prefill="Thought:"
        )
        batch = tokenizer(
            ["".join(p) for p in parts], add_special_tokens=False, padding=True, return_tensors="pt"
        ).to(respondent.device)
        with plain_head(respondent.model):
            out = respondent.model.generate(
                **batch, max_new_tokens=new_tokens, do_sample=False, pad_token_id=0
            )
        texts = tokenizer.batch_decode(out[:, batch.input_ids.shape[1] :])
        answers += [parse_answer(text).answer for text in texts]
    return answers


@torch.inference_mode()
def plain_forward(respondent: Respondent, questions: list[str], role: Role, *, rows: int) -> list:
    """One forward pass for many whole prompts at a time, read at the last position."""
    tokenizer, read = respondent.tokenizer, AnswerReader.of(respondent).read
    log_odds = []
    for start in range(0, len(questions), rows):
        parts = render_parts(tokenizer, questions[start : start + rows], role)
        batch = tokenizer(
            ["".join(p) for p in parts], add_special_tokens=False, padding=True, return_tensors="pt"
        ).to(respondent.device)
        positions = (batch.attention_mask.cumsum(1) - 1).clamp(min=0)
        with plain_head(respondent.model):
            logits = respondent.model(**batch, position_ids=positions, logits_to_keep=1).logits
        log_odds += list(read(logits[:, -1])[0])
    return log_odds


def flop(respondent: Respondent, tokens: float, heads: float, seen: float) -> float:
    """FLOP of the model for so many tokens, next-token logits and (token, token seen) pairs."""
    config = respondent.model.config
    body = sum(p.numel() for p in respondent.model.base_model.layers.parameters())
    word = config.vocab_size * config.hidden_size
    pair = 4 * config.num_attention_heads * config.head_dim * config.num_hidden_layers
    return 2 * body * tokens + 2 * word * heads + pair * seen


def first_items(n: int) -> Inventory:
    """The first n items of the inventory, again from its beginning where it has fewer."""
    known = vg.load_inventory()
    rounds = range(-(-n // len(known.items)))
    again = [known.items.assign(item=known.items["item"] + f"_{k}" * (k > 0)) for k in rounds]
    items = pd.concat(again, ignore_index=True).head(n)
    return Inventory(f"first{n}", items, known.values.loc[items["value"].unique()])


def cost_of_a_role(respondent: Respondent, prefix: float, own: float, n: int) -> dict[str, float]:
    """Tokens, and pairs (token, token seen), of all questions to one role in logit mode."""
    if can_share(respondent.model):
        return {"tokens": prefix + n * own, "seen": prefix**2 / 2 + n * own * (prefix + own / 2)}
    return {"tokens": n * (prefix + own), "seen": n * (prefix + own) ** 2 / 2}


def measure_protocols(
    respondent: Respondent,
    device: torch.device,
    *,
    prefix: int,
    new_tokens: int,
    roles: int,
    paper_questions: int,
    repeats: int,
    ask: dict,
    peak_size: int | None = None,
    rough: Respondent | None = None,
) -> dict:
    """Time all protocols in turn; figures of each, beside the machine's own speed.

    `rough` is the same model in another precision, asked in logit mode as well.
    """
    inventory, new, dtype = vg.load_inventory(), new_tokens, respondent.model.dtype
    questions = list(inventory.items["text"])
    some = long_roles(respondent, roles, prefix)
    encoded = encode_prompts(respondent, questions, some, fmt=THINK, prefill="Thought:")
    before = statistics.mean(map(len, encoded.prefixes))
    own = statistics.mean(map(len, encoded.suffixes))
    n, few = len(questions), questions[:paper_questions]
    whole, cell = before + own, cost_of_a_role(respondent, before, own, n)
    read_cell = flop(respondent, cell["tokens"], n, cell["seen"])

    def written(answers: int) -> float:
        """FLOP of writing: each new token passes the body and the head, and sees all before."""
        return flop(respondent, answers * new, answers * new, answers * new * (whole + new / 2))

    def whole_prompts(answers: int) -> float:
        return flop(respondent, answers * whole, answers, answers * whole**2 / 2)

    def generate() -> pd.DataFrame:
        options = {"mode": "generate", "max_new_tokens": new, **ask}
        return vg.elicit(respondent, inventory, some, **options)

    # What to run, the answers that it gives, FLOP, and tokens an answer.
    runs = {
        "paper": (
            lambda: paper_protocol(respondent, few, some[0], new_tokens=new),
            len(few),
            whole_prompts(len(few)) + written(len(few)),
            whole + new,
        ),
        "plain forward": (
            lambda: plain_forward(respondent, questions[:32], some[0], rows=32),
            len(questions[:32]),
            whole_prompts(len(questions[:32])),
            whole,
        ),
        "logit": (
            lambda: vg.elicit(respondent, inventory, some, **ask),
            n * roles,
            roles * read_cell,
            cell["tokens"] / n,
        ),
        "generate": (
            generate,
            n * roles,
            roles * read_cell + written(n * roles),
            cell["tokens"] / n + new,
        ),
    }
    dtypes = dict.fromkeys(runs, dtype)
    if rough is not None:
        name = f"logit in {str(rough.model.dtype).removeprefix('torch.')}"
        runs[name] = (lambda: vg.elicit(rough, inventory, some, **ask), *runs["logit"][1:])
        dtypes[name] = rough.model.dtype
    for name in runs:
        if "logit" in name:
            runs[name][0]()  # warm up
    times: dict[str, list[float]] = {name: [] for name in runs}
    memory: dict[str, float] = {}
    peaks: dict[torch.dtype, float] = dict.fromkeys(dtypes.values(), 0.0)
    # Protocols take turns, so that a busy minute of the machine hits all of them.
    for _ in range(repeats):
        for kind in peaks:
            peaks[kind] = max(peaks[kind], matrix_product_peak(device, kind, peak_size))
        for name, (run, answers, _, _) in runs.items():
            with peak_memory(device) as taken:
                times[name].append(seconds(run, device) / answers)
            memory[name] = max(memory.get(name, 0.0), taken["GB"])
    paper = statistics.median(times["paper"])
    rows = []
    for name, (_, answers, work, tokens) in runs.items():
        per_answer = statistics.median(times[name])
        ratios = sorted(p / t for p, t in zip(times["paper"], times[name], strict=True))
        rows.append(
            {
                "protocol": name,
                "answers_per_s": 1 / per_answer,
                "ratio": paper / per_answer,
                "ratio_low": ratios[0],
                "ratio_high": ratios[-1],
                "ratio_by_tokens": runs["paper"][3] / tokens,
                "peak_memory_GB": memory[name],
                "share_of_matrix_peak": work / answers / per_answer / peaks[dtypes[name]],
                "tokens_per_answer": tokens,
            }
        )
    return {
        "model": respondent.name,
        "parameters": respondent.model.num_parameters(),
        "dtype": str(dtype),
        "prefix_tokens": before,
        "question_tokens": own,
        "questions": n,
        "new_tokens": new,
        "tree_saves": saved_by_a_tree(encoded),
        "matrix_peak_flop_per_s": peaks[dtype],
        "protocols": rows,
    }


def saved_by_a_tree(prompts: EncodedPrompts) -> float:
    """Share of the tokens of a role that a tree of its prompts would spare, at most.

    Questions that begin alike would share these tokens, too, as they share the prefix.
    """
    beginnings = {tuple(ids[:k]) for ids in prompts.suffixes for k in range(1, len(ids) + 1)}
    own, before = sum(map(len, prompts.suffixes)), statistics.mean(map(len, prompts.prefixes))
    return (own - len(beginnings)) / (before + own)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="gemma-80m")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", default=None, help="float32 on a CPU, else bfloat16")
    parser.add_argument("--prefix", type=int, default=200, help="tokens before the question")
    parser.add_argument("--new-tokens", type=int, default=100)
    parser.add_argument("--roles", type=int, default=4, help="roles asked in logit mode")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--paper-questions", type=int, default=16, help="a multiple of 8")
    parser.add_argument("--no-growth", action="store_true", help="only compare the protocols")
    parser.add_argument("--batch-tokens", type=int, default=None)
    parser.add_argument("--json", type=Path, default=None)
    args = parser.parse_args()
    device = torch.device(args.device)
    warnings.simplefilter("ignore", DoubtfulAnswers)  # random weights know no yes
    dtype = getattr(torch, args.dtype or ("float32" if device.type == "cpu" else "bfloat16"))
    config, ask = SHAPES[args.shape], {"batch_tokens": args.batch_tokens}
    respondent, rough = random_respondent(args.shape, config, device, dtype), None
    if device.type == "cpu" and dtype == torch.float32:
        rough = random_respondent(args.shape, config, device, torch.bfloat16)
    figures = measure_protocols(
        respondent,
        device,
        prefix=args.prefix,
        new_tokens=args.new_tokens,
        roles=args.roles,
        paper_questions=args.paper_questions,
        repeats=args.repeats,
        ask=ask,
        rough=rough,
    )
    roles = long_roles(respondent, 8, args.prefix)
    figures["growth"] = [] if args.no_growth else measure_growth(respondent, roles, device, **ask)
    print_tables(figures)
    write_json({"machine": machine(device), **figures}, args.json)


def measure_growth(
    respondent: Respondent,
    roles: list[Role],
    device: torch.device,
    *,
    counts=(1, 2, 4, 8),
    items: int = 80,
    layer: int | None = None,
    **ask,
) -> list[dict]:
    """Seconds of `elicit` in logit mode as one number grows and the others stay."""
    layer = respondent.n_layers // 2 if layer is None else layer
    pushes = [None, *pushes_of(respondent, max(counts) - 1, layer)]
    most = max(counts)
    grid = [("roles", k, roles[:k], items, pushes[:1]) for k in counts]
    grid += [("items", items * k // most, roles[:1], items * k // most, [None]) for k in counts]
    grid += [("interventions", k, roles[:1], items, pushes[:k]) for k in counts]
    table = []
    for what, count, some, first, interventions in grid:
        asked = partial(vg.elicit, respondent, first_items(first), some)
        taken = seconds(partial(asked, interventions=interventions, **ask), device)
        table.append({"grows": what, "number": count, "seconds": taken})
    return table


def pushes_of(respondent: Respondent, n: int, layer: int) -> list[vg.Shift]:
    """Shifts after a layer, at the site's last token."""
    vector = torch.ones(respondent.width).numpy()
    return [vg.Shift(f"push{i}", layer, vector) for i in range(n)]


def print_tables(figures: dict) -> None:
    table = Table(
        title=f"{figures['model']}: {figures['prefix_tokens']:.0f} tokens before the question, "
        f"{figures['question_tokens']:.0f} its own; a tree would spare "
        f"{figures['tree_saves']:.0%}; matrix product "
        f"{figures['matrix_peak_flop_per_s'] / 1e9:,.0f} GFLOP/s"
    )
    for column in ("protocol", "answers/s", "ratio", "range", "by tokens", "GB", "of peak"):
        table.add_column(column, justify="left" if column == "protocol" else "right")
    for row in pd.DataFrame(figures["protocols"]).itertuples():
        table.add_row(
            row.protocol,
            f"{row.answers_per_s:.2f}",
            f"{row.ratio:.1f}",
            f"{row.ratio_low:.1f} ... {row.ratio_high:.1f}",
            f"{row.ratio_by_tokens:.1f}",
            f"{row.peak_memory_GB:.2f}",
            f"{row.share_of_matrix_peak:.0%}",
        )
    console = Console()
    console.print(table)
    table = Table(title="logit mode: seconds as one number grows")
    for column in ("grows", "number", "seconds"):
        table.add_column(column, justify="left" if column == "grows" else "right")
    for row in figures["growth"]:
        table.add_row(row["grows"], str(row["number"]), f"{row['seconds']:.2f}")
    console.print(table)


if __name__ == "__main__":
    main()
