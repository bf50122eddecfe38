"""Prompts as token ids: what all questions to a role share, and what is each question's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from valuegraph.asking.prompts import SITE, PromptFormat, render_parts, site_tokens
from valuegraph.models import Respondent
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
    width = max(len(row) for row in rows)
    ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in rows])
    lengths = torch.tensor([[len(row)] for row in rows])
    positions = torch.arange(width) - (width - lengths)
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
        Tokens of the site in each prefix; empty unless asked for.
    joined
        Whether a prompt's tokens are those of its prefix and then those of its suffix. Some
        tokenizers join characters over the seam; then `whole` has to be asked instead.
    whole
        Token ids of whole prompts, by role and question; empty where `joined`.
    """

    prefixes: list[list[int]]
    suffixes: list[list[int]]
    sites: list[range]
    joined: bool
    whole: list[list[list[int]]]

    def row(self, role: int, question: int) -> list[int]:
        """Token ids of one whole prompt."""
        if self.joined:
            return self.prefixes[role] + self.suffixes[question]
        return self.whole[role][question]


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
        As for `render_parts`.
    find_sites
        Whether to look for the site; only what acts there needs it.

    Returns
    -------
    EncodedPrompts
        Prompts in the order of `roles` and `questions`.

    Raises
    ------
    ValueError
        As for `render_parts`, or if the tokenizer does not know a word.
    """
    tokenizer = respondent.tokenizer

    def encode(text: str) -> list[int]:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        if tokenizer.unk_token_id is not None and tokenizer.unk_token_id in ids:
            raise ValueError(unknown_words(respondent, text))
        return ids

    firsts = [render_parts(tokenizer, questions[:1], r, fmt=fmt, prefill=prefill) for r in roles]
    prefix_texts = [parts[0][0] for parts in firsts]
    suffix_texts = [
        suffix
        for _, suffix in render_parts(tokenizer, questions, roles[0], fmt=fmt, prefill=prefill)
    ]
    prefixes = [encode(text) for text in prefix_texts]
    suffixes = [encode(text) for text in suffix_texts]
    # All prefixes end alike, so that one of them tells of all; suffixes begin with any word.
    joined = all(
        prefixes[0] + ids == encode(prefix_texts[0] + text)
        for ids, text in zip(suffixes, suffix_texts, strict=True)
    )
    whole = [] if joined else [[encode(p + s) for s in suffix_texts] for p in prefix_texts]
    sites = [site_tokens(tokenizer, t, fmt=fmt) for t in prefix_texts] if find_sites else []
    for prefix, site, rows in zip(prefixes, sites, whole, strict=False):
        if any(ids[: site.stop] != prefix[: site.stop] for ids in rows):
            raise ValueError(
                f"no token ends with the site's words {SITE!r}: the tokenizer of "
                f"{respondent.name} joins them to the question"
            )
    return EncodedPrompts(prefixes, suffixes, sites, joined, whole)


def unknown_words(respondent: Respondent, text: str) -> str:
    """Say which words of a text a word-level tokenizer does not know."""
    tokenizer = respondent.tokenizer
    told = text
    for token in tokenizer.added_tokens_decoder.values():
        told = told.replace(token.content, " ")
    unknown = [
        w
        for w in dict.fromkeys(re.findall(r"[\w'’-]+", told))
        if tokenizer.unk_token_id in tokenizer(w, add_special_tokens=False)["input_ids"]
    ]
    return (
        f"{respondent.name} does not know {', '.join(map(repr, unknown[:5])) or 'a character'} in "
        f"{text!r}. An organism knows only the words of the inventory, life facts, stances and "
        "formats that come with the package; ask it those, or ask another model"
    )
