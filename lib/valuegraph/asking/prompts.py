"""What a respondent is told: instruction, role, question - and where the steering site lies.

One prompt asks one question. In the ``chat`` layout the role stands first, so that it is read
before the words "according to your values"; those words, the *site* of the paper's steering, stand
right before the question. The same words reach the organisms, Gemma and Llama, each in the chat
format of its own tokenizer.

The layouts ``kang-plain`` and ``kang-headers`` put a question as Kang et al. (2025) did to Gemma
and to Llama: instruction, role as a note, two examples of one line, question. The order and the
frame are theirs, the words ours. There the site comes before the role, which it hence cannot know
of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product, starmap
from typing import TYPE_CHECKING

from valuegraph.asking.kang import kang_frame
from valuegraph.roles import Role

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: The words of the steering site.
SITE = "your values"

#: What the answer is prefilled with before its first token is scored.
ANSWER_PREFIX = "Answer:"

#: What a written thought begins with.
THOUGHT_PREFIX = "Thought:"

#: Asks for a written thought before the answer.
THINK_FIRST = "Think first."

#: Instructions by name, ``{options}`` being "yes or no" or "no or yes".
WORDINGS = {
    "answer": "Answer {options} according to your values.",
    "say": "Please say {options} according to your values.",
    "reply": "Your reply should be {options} according to your values.",
}

#: In what frame a question is put: the tokenizer's chat format, or one of the two of Kang et al.
LAYOUTS = ("chat", "kang-plain", "kang-headers")


@dataclass(frozen=True)
class PromptFormat:
    """How the question is put.

    Attributes
    ----------
    wording
        A key of `WORDINGS`.
    yes_first
        Whether the instruction names yes before no.
    think
        Whether a thought is asked for before the answer.
    layout
        One of `LAYOUTS`.
    """

    wording: str = "answer"
    yes_first: bool = True
    think: bool = False
    layout: str = "chat"

    def __post_init__(self) -> None:
        if self.wording not in WORDINGS:
            raise ValueError(
                f"unknown wording {self.wording!r}; known wordings: {', '.join(WORDINGS)}"
            )
        if self.layout not in LAYOUTS:
            raise ValueError(f"unknown layout {self.layout!r}; known layouts: {', '.join(LAYOUTS)}")

    @property
    def name(self) -> str:
        """Labels the answers, for instance ``"answer, yes first"``."""
        parts = [self.wording, "yes first" if self.yes_first else "no first"]
        parts += ["think"] if self.think else []
        return ", ".join(parts if self.layout == "chat" else [*parts, self.layout])

    @classmethod
    def from_name(cls, name: str) -> PromptFormat:
        """Return the format that has this name.

        Parameters
        ----------
        name
            What `name` gives.

        Raises
        ------
        ValueError
            If no format is called so.
        """
        for fmt in starmap(cls, product(WORDINGS, (True, False), (False, True), LAYOUTS)):
            if fmt.name == name:
                return fmt
        raise ValueError(f"no prompt format is called {name!r}; one is {cls().name!r}")

    @property
    def instruction(self) -> str:
        """The instruction, ending in the site's words and a full stop."""
        options = "yes or no" if self.yes_first else "no or yes"
        text = WORDINGS[self.wording].format(options=options)
        return f"{THINK_FIRST} {text}" if self.think else text


def render_prompt(
    tokenizer: PreTrainedTokenizerBase,
    question: str,
    role: Role | None = None,
    *,
    fmt: PromptFormat | None = None,
    prefill: str = ANSWER_PREFIX,
) -> str:
    """Write one prompt in the chat format of a tokenizer, up to the position of the answer.

    A role goes into the system turn where the chat template has one, and before the instruction
    of the user turn where it has none (Gemma). The text already holds the special tokens: encode
    it with ``add_special_tokens=False``.

    Parameters
    ----------
    tokenizer
        Its chat template gives the format.
    question
        What is asked.
    role
        Who the respondent is asked to be; None for itself.
    fmt
        How the question is put; by default the plain instruction, yes named first.
    prefill
        What the answer is made to begin with.

    Returns
    -------
    str
        The prompt.

    Raises
    ------
    ValueError
        If the question is blank, or the tokenizer has no chat template or not the tokens that the
        layout needs.
    """
    return "".join(render_parts(tokenizer, [question], role, fmt=fmt, prefill=prefill)[0])


def render_parts(
    tokenizer: PreTrainedTokenizerBase,
    questions: Sequence[str],
    role: Role | None = None,
    *,
    fmt: PromptFormat | None = None,
    prefill: str = ANSWER_PREFIX,
) -> list[tuple[str, str]]:
    """Write the prompts of many questions to one role, each split where its question begins.

    Parameters
    ----------
    tokenizer, role, fmt, prefill
        As for `render_prompt`.
    questions
        What is asked, one prompt each.

    Returns
    -------
    list of (str, str)
        Prefix and suffix of each prompt, in the order of `questions`; together they are the prompt.
        The prefix is the same for all of them; in the chat layout it ends with the full stop after
        the site.

    Raises
    ------
    ValueError
        As for `render_prompt`.
    """
    for question in questions:
        if not question.strip():
            raise ValueError("a question has no text; every item needs one")
    if tokenizer.chat_template is None and (fmt is None or fmt.layout == "chat"):
        raise ValueError(
            f"the tokenizer of {tokenizer.name_or_path!r} has no chat template; "
            "use an instruction-tuned model, or the layout 'kang-plain'"
        )
    before, after = _frame(tokenizer, role, fmt or PromptFormat())
    return [(before, f" {question.strip()}{after}{prefill}") for question in questions]


def _frame(
    tokenizer: PreTrainedTokenizerBase, role: Role | None, fmt: PromptFormat
) -> tuple[str, str]:
    """Return what stands before the space before the question, and after the question."""
    # A marker that no text contains, so that a template is rendered once for all questions. It
    # must not count as white space, as \x1c ... \x1f do: many templates trim what they are given.
    marker = "\x02"
    if fmt.layout != "chat":
        text = kang_frame(tokenizer, role, fmt, marker)
    else:
        content = f"{fmt.instruction} {marker}"
        if role is None:
            messages = [{"role": "user", "content": content}]
        elif has_system_turn(tokenizer):
            messages = [
                {"role": "system", "content": role.text},
                {"role": "user", "content": content},
            ]
        else:
            messages = [{"role": "user", "content": f"{role.text}\n{content}"}]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    # The space before the question belongs to the suffix: many tokenizers join it to the next word.
    before, after = text.split(f" {marker}")
    return before, after


def has_system_turn(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Tell whether the chat template takes a system turn (Gemma's refuses one)."""
    from jinja2.exceptions import TemplateError

    probe = "system-turn-probe"
    messages = [{"role": "system", "content": probe}, {"role": "user", "content": "?"}]
    try:
        return probe in tokenizer.apply_chat_template(messages, tokenize=False)
    except TemplateError:
        return False


def site_tokens(
    tokenizer: PreTrainedTokenizerBase, prefix: str, *, fmt: PromptFormat | None = None
) -> range:
    """Find the tokens of the site in the encoded prefix of a prompt.

    Parameters
    ----------
    tokenizer
        Encodes the prefix; it must tell where its tokens lie in the text (a fast tokenizer).
    prefix
        First part of a prompt, from `render_parts`.
    fmt
        The format it was made with. Without it the site is the last place where its words stand.

    Returns
    -------
    range
        Indices of the tokens. A space before the words belongs to the first of them in many
        tokenizers.

    Raises
    ------
    ValueError
        If the words of the site do not occur, or the tokenizer joins them to what stands before or
        after them.
    """
    start = prefix.rfind(SITE)
    if fmt is not None:  # a role may use the site's words, too
        start = prefix.rfind(SITE, 0, prefix.rfind(fmt.instruction) + len(fmt.instruction))
    if start < 0:
        raise ValueError(f"the prompt does not hold the site's words {SITE!r}: {prefix!r}")
    end = start + len(SITE)
    offsets = tokenizer(prefix, add_special_tokens=False, return_offsets_mapping=True)
    spans = offsets["offset_mapping"]
    last = next((k for k, (_, token_end) in enumerate(spans) if token_end == end), None)
    if last is None:
        raise ValueError(
            f"no token ends with the site's words {SITE!r}: the tokenizer joins them to what "
            "follows; use another wording or layout"
        )
    first = next(k for k, (_, token_end) in enumerate(spans) if token_end > start)
    if prefix[spans[first][0] : start].strip():
        raise ValueError(
            f"no token begins with the site's words {SITE!r}: the tokenizer joins them to what "
            "stands before; use another wording or layout"
        )
    return range(first, last + 1)
