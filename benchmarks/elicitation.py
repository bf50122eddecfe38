"""How fast questions are put: the protocol of Kang et al. (2025), a plain forward pass, and ours.

All run in one process, on the same model with random weights and on the same prompts::

    python benchmarks/elicitation.py --json figures.json

Random weights answer nonsense at full cost: the model is never asked to stop early, so every
generated answer takes all its tokens in both protocols.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import pandas as pd
import torch
from measuring import machine, matrix_product_peak, peak_memory, seconds, write_json
from rich.console import Console
from rich.table import Table

import valuegraph as vg
from studies.training.language import corpus
from valuegraph.encoding import encode_prompts
from valuegraph.inventory import Inventory
from valuegraph.models import Respondent
from valuegraph.prompts import PromptFormat, render_parts
from valuegraph.reading import AnswerReader, parse_answer
from valuegraph.roles import Role

SHAPES = {
    # About 80 million parameters in the proportions of Gemma-2B.
    "gemma-80m": dict(
        hidden_size=512,
        intermediate_size=4096,
        num_hidden_layers=9,
        num_attention_heads=8,
        num_key_value_heads=1,
        head_dim=64,
        vocab_size=32_768,
    ),
    "gemma-2b": dict(
        hidden_size=2048,
        intermediate_size=16_384,
        num_hidden_layers=18,
        num_attention_heads=8,
        num_key_value_heads=1,
        head_dim=256,
        vocab_size=256_000,
    ),
}

THINK = PromptFormat(think=True)

#: Gemma's frame for a turn.
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ '<start_of_turn>' + m['role'] + '\n' + "
    "m['content'] + '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<start_of_turn>model\n' }}{% endif %}"
)


def random_gemma(shape: str, device: torch.device, dtype: torch.dtype) -> Respondent:
    """Gemma's architecture with random weights, and a tokenizer trained on the items."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GemmaConfig, GemmaForCausalLM, PreTrainedTokenizerFast

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
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token="<bos>",
        pad_token="<pad>",
        padding_side="left",
        chat_template=TEMPLATE.replace("m['role']", "m['role'].replace('system', 'user')"),
    )
    # It never ends its turn by itself: all protocols write as many tokens.
    config = GemmaConfig(**SHAPES[shape], eos_token_id=None, pad_token_id=0, bos_token_id=1)
    torch.manual_seed(0)
    with device:
        model = GemmaForCausalLM(config).to(dtype).eval()
    model.generation_config.eos_token_id = None
    return Respondent(shape, model, tokenizer)


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
    """The first n items of the inventory, with their values."""
    inventory = vg.load_inventory()
    items = inventory.items.head(n)
    return Inventory(f"first{n}", items, inventory.values.loc[items["value"].unique()])


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
    parser.add_argument("--batch-tokens", type=int, default=None)
    parser.add_argument("--json", type=Path, default=None)
    args = parser.parse_args()
    device = torch.device(args.device)
    dtype = getattr(torch, args.dtype or ("float32" if device.type == "cpu" else "bfloat16"))
    respondent = random_gemma(args.shape, device, dtype)
    inventory = vg.load_inventory()
    questions = list(inventory.items["text"])
    roles = long_roles(respondent, max(8, args.roles), args.prefix)
    encoded = encode_prompts(respondent, questions, roles, fmt=THINK, prefill="Thought:")
    prefix = statistics.mean(map(len, encoded.prefixes))
    own = statistics.mean(map(len, encoded.suffixes))
    n, new = len(questions), args.new_tokens
    ask = {"batch_tokens": args.batch_tokens}
    few = questions[: args.paper_questions]
    paper_asked, plain_asked, logit_asked = len(few), n, n * args.roles
    written_roles = roles[: args.roles]
    written_asked = n * len(written_roles)

    def generated(tokens: float, answers: int) -> float:
        """FLOP of writing: each new token passes the body and the head, and sees all before."""
        seen = answers * new * (prefix + own + new / 2)
        return flop(respondent, tokens + answers * new, answers * new, seen)

    whole = prefix + own
    shared_seen = prefix**2 / 2 + n * own * (prefix + own / 2)
    runs = {
        "paper": (
            lambda: paper_protocol(respondent, few, roles[0], new_tokens=new),
            paper_asked,
            generated(paper_asked * whole, paper_asked)
            + flop(respondent, 0, 0, paper_asked * whole**2 / 2),
            whole + new,
        ),
        "plain forward": (
            lambda: plain_forward(respondent, questions, roles[0], rows=32),
            plain_asked,
            flop(respondent, n * whole, n, n * whole**2 / 2),
            whole,
        ),
        "logit": (
            lambda: vg.elicit(respondent, inventory, roles[: args.roles], **ask),
            logit_asked,
            args.roles * flop(respondent, prefix + n * own, n, shared_seen),
            prefix / n + own,
        ),
        "generate": (
            lambda: vg.elicit(
                respondent, inventory, written_roles, mode="generate", max_new_tokens=new, **ask
            ),
            written_asked,
            generated(len(written_roles) * (prefix + n * own), written_asked)
            + len(written_roles) * flop(respondent, 0, 0, shared_seen),
            prefix / n + own + new,
        ),
    }
    for run, *_ in (runs["logit"], runs["plain forward"]):
        run()  # warm up
    times: dict[str, list[float]] = {name: [] for name in runs}
    memory: dict[str, float] = {}
    peaks = []
    # Protocols take turns, so that a busy minute of the machine hits all of them.
    for _ in range(args.repeats):
        peaks.append(matrix_product_peak(device, dtype))
        for name, (run, answers, _, _) in runs.items():
            with peak_memory(device) as taken:
                times[name].append(seconds(run, device) / answers)
            memory[name] = max(memory.get(name, 0.0), taken["GB"])
    peak = max(peaks)
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
                "share_of_matrix_peak": work / answers / per_answer / peak,
                "tokens_per_answer": tokens,
            }
        )
    growth = measure_growth(respondent, roles, device, ask)
    print_tables(pd.DataFrame(rows), growth, prefix, own, peak)
    write_json(
        {
            "machine": machine(device),
            "model": args.shape,
            "parameters": respondent.model.num_parameters(),
            "dtype": str(dtype),
            "prefix_tokens": prefix,
            "question_tokens": own,
            "questions": n,
            "new_tokens": new,
            "matrix_peak_flop_per_s": peak,
            "protocols": rows,
            "growth": growth,
        },
        args.json,
    )


def measure_growth(
    respondent: Respondent, roles: list[Role], device: torch.device, ask: dict
) -> list[dict]:
    """Seconds of `elicit` in logit mode as one number grows and the others stay."""
    push = [
        vg.Shift(f"push{i}", respondent.n_layers // 2, torch.ones(respondent.width).numpy())
        for i in range(7)
    ]
    grid = [("roles", k, roles[:k], 80, [None]) for k in (1, 2, 4, 8)]
    grid += [("items", k, roles[:1], k, [None]) for k in (10, 20, 40, 80)]
    grid += [("interventions", k, roles[:1], 80, [None, *push][:k]) for k in (1, 2, 4, 8)]
    table = []
    for what, count, some, items, interventions in grid:
        inventory = first_items(items)
        taken = seconds(
            lambda some=some, inventory=inventory, interventions=interventions: vg.elicit(
                respondent, inventory, some, interventions=interventions, **ask
            ),
            device,
        )
        table.append({"grows": what, "number": count, "seconds": taken})
    return table


def print_tables(
    protocols: pd.DataFrame, growth: list[dict], prefix: float, own: float, peak: float
) -> None:
    table = Table(
        title=f"{prefix:.0f} tokens before the question, {own:.0f} its own; "
        f"matrix product {peak / 1e9:,.0f} GFLOP/s"
    )
    for column in ("protocol", "answers/s", "ratio", "range", "by tokens", "GB", "of peak"):
        table.add_column(column, justify="left" if column == "protocol" else "right")
    for row in protocols.itertuples():
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
    for row in growth:
        table.add_row(row["grows"], str(row["number"]), f"{row['seconds']:.2f}")
    console.print(table)


if __name__ == "__main__":
    main()
