"""Reading an answer: off the next token's distribution, or out of what a respondent writes.

The rules for written text stand here in full; no other model judges:

1. What counts are the respondent's own words: what follows ``</think>``, up to a question or an
   example that it makes up itself (as in "Question: ...").
2. If they hold "Answer" (any case) and then a colon, the answer is the first word after the last
   such place: yes or no, whatever marks of emphasis or quotation surround it. Another word there is
   no answer, nor is "yes or no" or the like in one sentence; "no" before a noun ("no opinion") is
   none either. Quoted places do not count. Where the prompt ends in "Answer:", that is the place.
3. Without such a place, the answer is the first word if that is yes or no and one of ``.,;:!?`` or
   the end of the line follows ("No one knows" is no answer), or else the last line's only word.
4. Everything else is unsure, and the share of unsure answers stands beside every result.
"""

import re
from bisect import bisect_left
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from valuegraph.forward import ANSWER, Rows
from valuegraph.models import Respondent
from valuegraph.prompts import render_turns

# After how many tokens the rows whose answer is settled are taken out.
_LOOK_EVERY = 8

# An underscore is a mark of emphasis here, though regular expressions count it as a letter.
_END_OF_WORD = r"(?![^\W_])"
_CLOSING = r"*_\"'`”’»)\]"
# A word right behind "no" makes it "no opinion", unless a clause of its own begins with it.
_CLAUSE = "i|we|you|he|she|it|they|this|that|there|because|since|as|but|and|or|not|never|thanks?|of"
_NO = rf"no(?![^\S\n]+(?!(?:{_CLAUSE}){_END_OF_WORD})[^\W_])"
_WORD = rf"[\s*_\"'`“”‘’«»(\[]*(?P<word>yes|{_NO}){_END_OF_WORD}"
# What lies between the words of one sentence, in one line.
_GAP = r"(?:[^\w\n.!?;]|_)+"
_OTHER = rf"{_GAP}(?:(?:or|and){_GAP})?(?:answer{_GAP})?(?!(?P=word))(?:yes|no){_END_OF_WORD}"
_PLACE = re.compile(r"(?<![\"'`“‘«])(?<!\bor )answer[\s*_]*:", re.IGNORECASE)
_AFTER_PLACE = re.compile(rf"{_WORD}(?!{_OTHER})", re.IGNORECASE)
_FIRST = re.compile(rf"{_WORD}(?=[{_CLOSING}]*(?:[.,;:!?]|[^\S\n]*(?:\n|$)))", re.IGNORECASE)
_ALONE = re.compile(rf"{_WORD}[\s{_CLOSING}.!]*$", re.IGNORECASE)
# Where words begin that are not the respondent's own.
_NOT_OWN = re.compile(r"<think>|\n\W*(?:Question|Example)\W*:")
# What decides: the word after the place and the two that could make it "yes or no".
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
        tokenizer, found = respondent.tokenizer, []
        vocabulary = tokenizer.get_vocab().items()
        for word in ("yes", "no"):
            # Of the vocabulary: some tokenizers encode a word alone as if a space stood before it.
            spelt = {word, word.title(), word.upper()}
            found.append({i for token, i in vocabulary if token.lstrip("Ġ▁ ") in spelt})
            if not found[-1]:
                why = f"tokenizer {tokenizer.name_or_path!r} has no single token for {word!r}"
                raise ValueError(f"{why}, so its log-odds cannot be read; use another model")
        return cls(*(tuple(sorted(ids)) for ids in found), respondent.name)

    def read(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Read logits of the next token, shape ``(rows, words)``.

        Returns
        -------
        log_odds : torch.Tensor
            Of yes against no, shape ``(rows,)``.
        mass : torch.Tensor
            Probability of yes and no together, shape ``(rows,)``.
        """
        raw, logits = logits, logits.float()
        yes, no = (logits[:, list(ids)].logsumexp(-1) for ids in (self.yes_ids, self.no_ids))
        everything = logits.logsumexp(-1)  # the only pass over the vocabulary
        require_finite(yes + no + everything, raw, self.model)
        return yes - no, (torch.logaddexp(yes, no) - everything).exp()


def require_finite(figures: torch.Tensor, raw: torch.Tensor, model: str) -> None:
    """Refuse figures of which some are not finite; `raw` is what the model gave."""
    if not bool(figures.isfinite().all()):
        why = f"{model} computes numbers that are not finite in {raw.dtype}"
        raise ValueError(f"{why}; load it with dtype='float32', or check weights and shifts")


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
    place, begin, end = _place(text, prefilled)
    if place is not None:
        match = _AFTER_PLACE.match(text, place, end)
    else:
        last_line = max(begin, text[:end].rstrip().rfind("\n") + 1)
        match = _FIRST.match(text, begin, end) or _ALONE.match(text, last_line, end)
    if match is None:
        return Parsed(0, None)
    return Parsed(1 if match["word"].lower() == "yes" else -1, match.start("word"))


def is_settled(text: str, *, prefilled: bool = False) -> bool:
    """Tell whether nothing that is generated later can change the answer.

    Where the prompt ends in "Answer:", that is so once the sentence or the line, or three words,
    are complete; elsewhere once words that are not the respondent's own follow a place.
    """
    place, _, end = _place(text, prefilled)
    if prefilled:
        # The last character may be one of several bytes that were not all written yet.
        return bool(_SETTLED.search(text.rstrip("\ufffd")))
    return place is not None and end < len(text)


def _place(text: str, prefilled: bool) -> tuple[int | None, int, int]:
    """Position behind the last "Answer:", if any, and between which the own words stand."""
    begin = 0 if prefilled else len(text) - len(text.rpartition("</think>")[2])
    not_own = _NOT_OWN.search(text, begin)
    end = not_own.start() if not_own else len(text)
    places = [0] if prefilled else [m.end() for m in _PLACE.finditer(text, begin, end)]
    return (places[-1] if places else None), begin, end


def read_answers(rows: Rows, reader: AnswerReader) -> np.ndarray:
    """Read rows once: answers of the type `ANSWER`, shape ``(rows,)``, without text."""
    log_odds, mass = (x.cpu().numpy() for x in reader.read(rows.read()[:, -1]))
    return _answers(np.sign(log_odds), log_odds, mass, [""] * len(mass))


@torch.inference_mode()
def write_answers(rows, reader, respondent, *, max_new_tokens: int, prefilled: bool) -> np.ndarray:
    """Continue rows greedily until each has ended its turn, or answered for good.

    Parameters
    ----------
    rows : Rows
        Prompts that were not read yet.
    reader : AnswerReader
        Reads log-odds and mass at every token; those where the answer begins are kept.
    respondent : Respondent
        Who writes.
    max_new_tokens
        Longest continuation, in tokens.
    prefilled
        Whether the prompts end in "Answer:".

    Returns
    -------
    numpy.ndarray
        Answers of the type `ANSWER`, shape ``(rows,)``.
    """
    device, tokenizer = respondent.device, respondent.tokenizer
    ends = torch.tensor(end_ids(respondent), device=device)
    written = torch.full((len(rows), max_new_tokens), -1, device=device)
    figures = torch.full((2, len(rows), max_new_tokens), torch.nan, device=device)
    active = torch.arange(len(rows), device=device)

    def text_of(ids: list[int]) -> str:
        kept = [token for token in ids if token >= 0]
        return tokenizer.decode(kept, clean_up_tokenization_spaces=False)

    for step in range(max_new_tokens):
        logits = rows.read(keep=True)[:, -1]
        figures[:, active, step] = torch.stack(reader.read(logits))
        ids = logits.argmax(-1)
        ended = torch.isin(ids, ends)
        written[active, step] = torch.where(ended, -1, ids)
        rows.append(ids)
        if (step + 1) % _LOOK_EVERY == 0:
            texts = map(text_of, written[active].tolist())
            settled = [is_settled(text, prefilled=prefilled) for text in texts]
            ended |= torch.tensor(settled, device=device)
        if bool(ended.all()):
            break
        if bool(ended.any()):
            stay = (~ended).nonzero()[:, 0]
            rows.select(stay)
            active = active[stay]
    written, figures = written.tolist(), figures.cpu().numpy()
    texts, at = list(map(text_of, written)), np.full((2, len(written)), np.nan)
    parsed = [parse_answer(text, prefilled=prefilled) for text in texts]
    for row, (_, start) in enumerate(parsed):
        if start is not None:  # the token that holds the answer's first letter

            def length(n: int, ids=written[row]) -> int:
                return len(text_of(ids[:n]))

            step = bisect_left(range(1, max_new_tokens + 1), start + 1, key=length)
            at[:, row] = figures[:, row, step]
    return _answers([answer for answer, _ in parsed], *at, texts)


def _answers(*columns) -> np.ndarray:
    """Put answer, log-odds, mass and text side by side."""
    return np.array(list(zip(*columns, strict=True)), dtype=ANSWER)


def end_ids(respondent: Respondent) -> tuple[int, ...]:
    """Token ids that end a turn: those of the configuration, and the chat template's own."""
    tokenizer = respondent.tokenizer
    ids = {tokenizer.eos_token_id}
    for config in (respondent.model.config, respondent.model.generation_config):
        declared = getattr(config, "eos_token_id", None)
        ids |= set(declared) if isinstance(declared, (list, tuple)) else {declared}
    if tokenizer.chat_template is not None:
        after = render_turns(tokenizer, [("user", "?"), ("assistant", "\x02")]).split("\x02")[-1]
        following = tokenizer(after, add_special_tokens=False)["input_ids"][:1]
        # Special tokens with a name of their own (`all_special_ids`) are not all that there are.
        special = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
        ids |= set(following) & special
    return tuple(sorted(ids - {None}))
