"""Prompts as token ids: what all questions to a role share, and what is each question's own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from valuegraph.models import Respondent
from valuegraph.prompts import SITE, PromptFormat, render_parts, site_tokens
from valuegraph.roles import Role


@dataclass(frozen=True)
class Padded:
    """Token ids of several texts, padded on the left; all of shape ``(rows, columns)``.

    Attributes
    ----------
    ids
        Token ids, 0 where padded.
    mask
        Whether there is a token (boolean).
    positions
        Position of each token in its text, 0 where padded.
    """

    ids: torch.Tensor
    mask: torch.Tensor
    positions: torch.Tensor


def pad_left(rows: Sequence[Sequence[int]], device: torch.device) -> Padded:
    """Put token ids into one rectangle; every text ends in the last column."""
    width = max(map(len, rows))
    ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in rows])
    positions = torch.arange(width) - torch.tensor([[width - len(row)] for row in rows])
    return Padded(ids.to(device), (positions >= 0).to(device), positions.clamp(min=0).to(device))


@dataclass(frozen=True)
class EncodedPrompts:
    """All prompts of one format: each is one of the prefixes followed by one of the suffixes.

    Attributes
    ----------
    prefixes
        Token ids of what stands before the question, one entry a role.
    suffixes
        Token ids of the question and what stands behind it, one entry a question.
    sites
        Tokens of the site in each prefix; empty unless wanted.
    whole
        Token ids of whole prompts, by role and question, where they are not a prefix followed by a
        suffix: some tokenizers join characters over the seam, and some templates write something
        else behind the question for some roles. Empty where they are.
    """

    prefixes: list[list[int]]
    suffixes: list[list[int]]
    sites: list[range]
    whole: list[list[list[int]]]

    def row(self, role: int, question: int) -> list[int]:
        """Token ids of one whole prompt."""
        if self.whole:
            return self.whole[role][question]
        return self.prefixes[role] + self.suffixes[question]


def encode(respondent: Respondent, text: str) -> list[int]:
    """Encode a text; refuse one that holds what the tokenizer does not know."""
    tokenizer = respondent.tokenizer
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    if tokenizer.unk_token_id is not None and tokenizer.unk_token_id in ids:
        raise ValueError(unknown_words(respondent, text))
    return ids


def encode_prompts(
    respondent: Respondent,
    questions: Sequence[str],
    roles: Sequence[Role | None],
    *,
    fmt: PromptFormat,
    prefill: str,
    find_sites: bool = False,
) -> EncodedPrompts:
    """Render and encode the prompts of all roles and questions.

    Parameters
    ----------
    respondent
        Its tokenizer gives format and tokens.
    questions, roles, fmt, prefill
        What `render_parts` takes.
    find_sites
        Whether to look for the site; only what acts there needs it.
    """
    tokenizer = respondent.tokenizer
    # One question tells what surrounds all of them.
    heads = [render_parts(tokenizer, questions[:1], r, fmt=fmt, prefill=prefill)[0] for r in roles]
    parts = render_parts(tokenizer, questions, roles[0], fmt=fmt, prefill=prefill)
    prefixes = [encode(respondent, prefix) for prefix, _ in heads]
    suffixes = [encode(respondent, suffix) for _, suffix in parts]
    alike = len({suffix for _, suffix in heads}) == 1
    # All prefixes end alike, so that one of them tells of all; suffixes begin with any word.
    joined = alike and all(
        prefixes[0] + ids == encode(respondent, parts[0][0] + suffix)
        for ids, (_, suffix) in zip(suffixes, parts, strict=True)
    )
    whole = []
    if not joined:
        rendered = [render_parts(tokenizer, questions, r, fmt=fmt, prefill=prefill) for r in roles]
        whole = [[encode(respondent, a + b) for a, b in of_role] for of_role in rendered]
    sites = [site_tokens(tokenizer, prefix, fmt=fmt) for prefix, _ in heads] if find_sites else []
    for prefix, site, rows in zip(prefixes, sites, whole, strict=False):
        if any(ids[: site.stop] != prefix[: site.stop] for ids in rows):
            raise ValueError(
                f"no token ends with the site's words {SITE!r}: the tokenizer of "
                f"{respondent.name} joins them to the question"
            )
    return EncodedPrompts(prefixes, suffixes, sites, whole)


def unknown_words(respondent: Respondent, text: str) -> str:
    """Say which words of a text a word-level tokenizer does not know."""
    tokenizer, plain = respondent.tokenizer, text
    for token in tokenizer.added_tokens_decoder.values():
        plain = plain.replace(token.content, " ")
    unknown = [
        word
        for word in dict.fromkeys(re.findall(r"[\w'’-]+", plain))
        if tokenizer.unk_token_id in tokenizer(word, add_special_tokens=False)["input_ids"]
    ]
    return (
        f"{respondent.name} does not know {', '.join(map(repr, unknown[:5])) or 'a character'} in "
        f"{text!r}. An organism knows only the words of the inventory, life facts, stances and "
        "formats that come with the package; ask it those, or ask another model"
    )
