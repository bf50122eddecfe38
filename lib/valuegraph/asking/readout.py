"""Reading an answer off the distribution over the next token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from valuegraph.asking.prompts import PromptFormat, render_prompt

if TYPE_CHECKING:
    from valuegraph.models import Respondent
    from valuegraph.roles import Role


@dataclass(frozen=True)
class AnswerReader:
    """Reads log-odds of yes off a distribution over the next token.

    Attributes
    ----------
    yes_ids, no_ids
        Token ids of the spellings of yes and of no.
    """

    yes_ids: tuple[int, ...]
    no_ids: tuple[int, ...]

    @classmethod
    def for_tokenizer(cls, tokenizer) -> AnswerReader:
        """Find the spellings of yes and no, with and without a space or capitals, of one token.

        Parameters
        ----------
        tokenizer
            A Hugging Face tokenizer.

        Raises
        ------
        ValueError
            If there is none for one of the two.
        """
        found = {}
        for word in ("yes", "no"):
            ids = set()
            for spelling in (word, word.capitalize(), word.upper()):
                for text in (spelling, f" {spelling}"):
                    encoded = tokenizer(text, add_special_tokens=False)["input_ids"]
                    if len(encoded) == 1 and encoded[0] != tokenizer.unk_token_id:
                        ids.add(encoded[0])
            if not ids:
                raise ValueError(
                    f"the tokenizer of {tokenizer.name_or_path!r} has no single token for "
                    f"{word!r}, so its log-odds cannot be read; use another model"
                )
            found[word] = tuple(sorted(ids))
        return cls(found["yes"], found["no"])

    def read(self, logits: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Read logits of the next token.

        Parameters
        ----------
        logits
            Shape ``(rows, words)``.

        Returns
        -------
        log_odds : numpy.ndarray
            Of yes against no, shape ``(rows,)``.
        mass : numpy.ndarray
            Probability of yes and no together, shape ``(rows,)``.
        """
        return tuple(x.cpu().numpy() for x in self.read_tensors(logits))

    def read_tensors(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Read logits as `read` does; the figures stay where the logits are."""
        logits = logits.float()
        yes = logits[:, list(self.yes_ids)].logsumexp(-1)
        no = logits[:, list(self.no_ids)].logsumexp(-1)
        # The sum over all words is the only pass over the vocabulary.
        return yes - no, (torch.logaddexp(yes, no) - logits.logsumexp(-1)).exp()


@torch.inference_mode()
def next_words(
    respondent: Respondent,
    question: str,
    role: Role | None = None,
    *,
    fmt: PromptFormat | None = None,
    n: int = 10,
) -> pd.Series:
    """Look at the likeliest words where an answer begins.

    Parameters
    ----------
    respondent
        Whom to ask.
    question
        What is asked.
    role
        Who the respondent is asked to be; None for itself.
    fmt
        How the question is put; by default the plain instruction, yes named first.
    n
        How many words.

    Returns
    -------
    pandas.Series
        Probability of each word (of each token, to be exact), the likeliest first.

    Raises
    ------
    ValueError
        As for `valuegraph.asking.prompts.render_prompt`.
    """
    tokenizer = respondent.tokenizer
    prompt = render_prompt(tokenizer, question, role, fmt=fmt)
    ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")["input_ids"]
    logits = respondent.model(ids.to(respondent.device), logits_to_keep=1).logits[0, -1]
    top = logits.float().softmax(-1).topk(n)
    words = [tokenizer.decode([i]).strip() for i in top.indices.tolist()]
    return pd.Series(top.values.cpu().numpy(), words, name="probability")
