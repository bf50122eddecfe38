"""Reading an answer: off the next token's distribution, or out of what a respondent writes.

The rules for written text stand here in full; no other model judges:

1. If the text holds "Answer" (any case) and then a colon, the answer is the first word after the
   first such place: yes or no, whatever marks of emphasis or quotation surround it. Another word
   there is no answer, nor is "yes or no" or the like in one sentence, and the text counts as
   unsure. A prompt that ends in "Answer:" is such a place; the text then begins with the answer.
2. Without such a place, the answer is the first word of the text if that is yes or no and one of
   ``.,;:!?`` or the end of the line follows ("No one knows" is no answer), or else the only word of
   its last line.
3. Everything else is unsure, and the share of unsure answers stands beside every result.
"""

import re
from bisect import bisect_left
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from valuegraph.forward import Rows
from valuegraph.models import Respondent

# After how many tokens the rows whose answer is settled are taken out.
_LOOK_EVERY = 8

# An underscore is a mark of emphasis here, though regular expressions count it as a letter.
_END_OF_WORD = r"(?![^\W_])"
_CLOSING = r"*_\"'`”’»)\]"
_WORD = rf"[\s*_\"'`“”‘’«»(\[]*(?P<word>yes|no){_END_OF_WORD}"
# What lies between the words of one sentence, in one line.
_GAP = r"(?:[^\w\n.!?;]|_)+"
_OTHER = rf"{_GAP}(?:(?:or|and){_GAP})?(?!(?P=word))(?:yes|no){_END_OF_WORD}"
_MARKER = re.compile(r"answer[\s*_]*:", re.IGNORECASE)
_AFTER_MARKER = re.compile(rf"{_WORD}(?!{_OTHER})", re.IGNORECASE)
_FIRST = re.compile(rf"{_WORD}(?=[{_CLOSING}]*(?:[.,;:!?]|[^\S\n]*(?:\n|$)))", re.IGNORECASE)
_ALONE = re.compile(rf"{_WORD}[\s{_CLOSING}.!]*$", re.IGNORECASE)
# What decides: the word after the marker and the two that could make it "yes or no".
_SETTLED = re.compile(r"[^\W_]+(?:[^\n.!?;]*[\n.!?;]|[\W_]+[^\W_]+[\W_]+[^\W_]+[\W_])")


@dataclass(frozen=True)
class AnswerReader:
    """Reads log-odds of yes off a distribution over the next token.

    Attributes
    ----------
    yes_ids, no_ids
        Token ids of the spellings of yes and of no.
    model
        Name of the respondent, for messages.
    """

    yes_ids: tuple[int, ...]
    no_ids: tuple[int, ...]
    model: str = "the model"

    @classmethod
    def of(cls, respondent: Respondent) -> "AnswerReader":
        """Find the spellings of yes and no, with and without a space or capitals, of one token."""
        tokenizer, ids = respondent.tokenizer, {}
        for word in ("yes", "no"):
            spellings = [f"{s}{w}" for w in (word, word.title(), word.upper()) for s in ("", " ")]
            encoded = [tokenizer(s, add_special_tokens=False)["input_ids"] for s in spellings]
            single = {e[0] for e in encoded if len(e) == 1} - {tokenizer.unk_token_id}
            if not single:
                raise ValueError(
                    f"the tokenizer of {tokenizer.name_or_path!r} has no single token for "
                    f"{word!r}, so its log-odds cannot be read; use another model"
                )
            ids[word] = tuple(sorted(single))
        return cls(ids["yes"], ids["no"], respondent.name)

    def read(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Read logits of the next token.

        Parameters
        ----------
        logits
            Shape ``(rows, words)``.

        Returns
        -------
        log_odds : torch.Tensor
            Of yes against no, shape ``(rows,)``.
        mass : torch.Tensor
            Probability of yes and no together, shape ``(rows,)``.
        """
        dtype, logits = logits.dtype, logits.float()
        yes = logits[:, list(self.yes_ids)].logsumexp(-1)
        no = logits[:, list(self.no_ids)].logsumexp(-1)
        # The sum over all words is the only pass over the vocabulary.
        whole = logits.logsumexp(-1)
        if not bool((whole + yes + no).isfinite().all()):
            raise ValueError(
                f"{self.model} computes logits that are not finite in {dtype}; load it with "
                'dtype="float32" or "bfloat16", or check its weights'
            )
        return yes - no, (torch.logaddexp(yes, no) - whole).exp()


class Parsed(NamedTuple):
    """An answer (+1 yes, -1 no, 0 unsure), and where its word begins; None if there is none."""

    answer: int
    start: int | None


def parse_answer(text: str, *, prefilled: bool = False) -> Parsed:
    """Read the answer out of a generated text.

    Parameters
    ----------
    text
        What was generated after the prompt.
    prefilled
        Whether the prompt ended in "Answer:".

    Examples
    --------
    >>> parse_answer("I would miss my friends. Answer: **No**.")
    Parsed(answer=-1, start=35)
    >>> parse_answer(" Yes I would.").answer, parse_answer(" Yes I would.", prefilled=True).answer
    (0, 1)
    """
    start = _answer_place(text, prefilled)
    if start is not None:
        match = _AFTER_MARKER.match(text, start)
    else:
        last_line = text.rstrip().rfind("\n") + 1
        match = _FIRST.match(text) or _ALONE.match(text, last_line)
    if match is None:
        return Parsed(0, None)
    return Parsed(1 if match["word"].lower() == "yes" else -1, match.start("word"))


def is_settled(text: str, *, prefilled: bool = False) -> bool:
    """Tell whether nothing that is generated later can change the answer.

    That is so once the sentence or the line of "Answer:", or three words after it, are complete:
    only the first rule looks there.
    """
    start = _answer_place(text, prefilled)
    # The last character may be one of several bytes that were not all written yet.
    return start is not None and bool(_SETTLED.search(text.rstrip("\ufffd"), start))


def _answer_place(text: str, prefilled: bool) -> int | None:
    """Position behind the first "Answer:"; None where there is none."""
    if prefilled:
        return 0
    marker = _MARKER.search(text)
    return marker.end() if marker else None


class Written(NamedTuple):
    """What was written, by row: text, answer, and log-odds and mass where the answer begins."""

    text: list[str]
    answer: np.ndarray
    log_odds: np.ndarray
    mass: np.ndarray


def end_ids(respondent: Respondent) -> tuple[int, ...]:
    """Token ids that end a turn: those of the configuration, and the chat template's own."""
    tokenizer = respondent.tokenizer
    ids = {tokenizer.eos_token_id}
    for config in (respondent.model.config, respondent.model.generation_config):
        declared = getattr(config, "eos_token_id", None)
        ids |= set(declared) if isinstance(declared, (list, tuple)) else {declared}
    if tokenizer.chat_template is not None:
        turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "\x02"}]
        after = tokenizer.apply_chat_template(turns, tokenize=False).split("\x02")[-1]
        following = tokenizer(after, add_special_tokens=False)["input_ids"][:1]
        # Special tokens with a name of their own (`all_special_ids`) are not all that there are.
        special = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
        ids |= set(following) & special
    return tuple(sorted(ids - {None}))


@torch.inference_mode()
def write(
    respondent: Respondent,
    reader: AnswerReader,
    rows: Rows,
    *,
    max_new_tokens: int,
    prefilled: bool,
) -> Written:
    """Continue prompts greedily until each has ended its turn, or answered for good.

    Parameters
    ----------
    respondent
        Who writes.
    reader
        Reads log-odds and mass at every token.
    rows
        Prompts that were not read yet.
    max_new_tokens
        Longest continuation, in tokens.
    prefilled
        Whether the prompts end in "Answer:".
    """
    device = respondent.device
    ends = torch.tensor(end_ids(respondent), device=device)
    written = torch.full((rows.n, max_new_tokens), -1, device=device)
    log_odds = torch.full((rows.n, max_new_tokens), torch.nan, device=device)
    mass = torch.full_like(log_odds, torch.nan)
    active = torch.arange(rows.n, device=device)
    for step in range(max_new_tokens):
        logits = rows.read(keep=True)
        log_odds[active, step], mass[active, step] = reader.read(logits)
        ids = logits.argmax(-1)
        ended = torch.isin(ids, ends)
        written[active, step] = torch.where(ended, -1, ids)
        rows.append(ids)
        if (step + 1) % _LOOK_EVERY and not bool(ended.any()):
            continue
        if (step + 1) % _LOOK_EVERY == 0:
            settled = [
                is_settled(t, prefilled=prefilled) for t in _decode(respondent, written[active])
            ]
            ended |= torch.tensor(settled, device=device)
        stay = (~ended).nonzero()[:, 0]
        if not len(stay):
            break
        if len(stay) < len(active):
            rows.select(stay)
            active = active[stay]
    texts = _decode(respondent, written)
    parsed = [parse_answer(text, prefilled=prefilled) for text in texts]
    figures = np.full((2, len(texts)), np.nan)
    for row, (_, start) in enumerate(parsed):
        if start is not None:
            step = _token_at(respondent, written[row].tolist(), start)
            figures[:, row] = float(log_odds[row, step]), float(mass[row, step])
    return Written(texts, np.array([p.answer for p in parsed], dtype=np.int8), *figures)


def _decode(respondent: Respondent, written: torch.Tensor) -> list[str]:
    rows = [[i for i in row if i >= 0] for row in written.tolist()]
    return respondent.tokenizer.batch_decode(rows, clean_up_tokenization_spaces=False)


def _token_at(respondent: Respondent, ids: list[int], place: int) -> int:
    """Return the number of the token that holds a place of the text."""

    def length(n: int) -> int:
        kept = [i for i in ids[:n] if i >= 0]
        return len(respondent.tokenizer.decode(kept, clean_up_tokenization_spaces=False))

    return bisect_left(range(1, len(ids) + 1), place + 1, key=length)
