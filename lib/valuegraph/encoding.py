"""Prompts as token ids: what all questions to a role share, and what is each question's own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from valuegraph.models import Respondent
from valuegraph.prompts import SITE, render_parts, site_tokens


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
        Tokens of the site in each prefix; an empty range each unless wanted.
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


def encode_prompts(respondent, questions, roles, fmt, prefill, *, find_sites=False):
    """Render and encode the prompts of all roles and questions.

    Parameters
    ----------
    respondent : Respondent
        Its tokenizer gives format and tokens.
    questions : sequence of str
        One prompt each, for every role.
    roles : sequence of Role or None
        None for no role.
    fmt, prefill
        What `valuegraph.prompts.render_parts` takes.
    find_sites : bool
        Whether to look for the site; only what acts there needs it.

    Returns
    -------
    EncodedPrompts
        By the order of roles and questions.
    """
    tokenizer, names = respondent.tokenizer, {"fmt": fmt, "prefill": prefill}
    # One question tells what surrounds all of them, but where a template reads the role.
    heads = [render_parts(tokenizer, questions[:1], role, **names)[0] for role in roles]
    parts = render_parts(tokenizer, questions, roles[0], **names)
    prefixes = [encode(respondent, prefix) for prefix, _ in heads]
    suffixes = [encode(respondent, suffix) for _, suffix in parts]
    # All prefixes end alike, so that one of them tells of all; suffixes begin with any word.
    seams, alike = zip(suffixes, parts, strict=True), len({suffix for _, suffix in heads}) == 1
    joined = alike and all(prefixes[0] + ids == encode(respondent, a + b) for ids, (a, b) in seams)
    whole = [] if joined else [render_parts(tokenizer, questions, r, **names) for r in roles]
    whole = [[encode(respondent, prefix + suffix) for prefix, suffix in row] for row in whole]
    sites = [site_tokens(tokenizer, prefix, fmt=fmt) for prefix, _ in heads if find_sites]
    for prefix, site, rows in zip(prefixes, sites, whole, strict=False):
        if any(ids[: site.stop] != prefix[: site.stop] for ids in rows):
            raise ValueError(f"{respondent.name} joins the site's words {SITE!r} to the question")
    return EncodedPrompts(prefixes, suffixes, sites or [range(0)] * len(roles), whole)


def encode(respondent: Respondent, text: str) -> list[int]:
    """Encode a text; refuse one with words that a word-level tokenizer does not know."""
    tokenizer = respondent.tokenizer

    def ids_of(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    ids, unknown = ids_of(text), tokenizer.unk_token_id
    if unknown is not None and unknown in ids:
        plain = text
        for token in tokenizer.added_tokens_decoder.values():
            plain = plain.replace(token.content, " ")
        words = dict.fromkeys(re.findall(r"[\w'’-]+", plain))
        named = ", ".join([repr(word) for word in words if unknown in ids_of(word)][:5])
        known = "the words of the inventory, life facts, stances and formats of the package"
        unknown = f"{respondent.name} does not know {named or 'a character'} in {text!r}"
        raise ValueError(f"{unknown}. An organism knows only {known}; ask those, or another model")
    return ids
