"""What a respondent reads: instruction, role, question, and where the steering site lies.

One prompt asks one question. In the ``chat`` layout the role stands first, so that it is read
before the words "according to your values"; those words, the *site* of the paper's steering, stand
right before the question. The layouts ``kang-plain`` and ``kang-headers`` keep the order and the
frame of Kang et al. (2025) for Gemma and Llama, in our words; there the site precedes the role.

An answer is read where the model answers: templates are told not to think
(``enable_thinking=False``), and a thought that they begin nevertheless is closed, empty. Templates
that write today's date write the same day always, so that answers do not depend on it.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from itertools import product, starmap
from threading import Thread

from valuegraph.roles import NO_ROLE, Role
from valuegraph.tables import require, require_known

#: The words of the steering site.
SITE = "your values"

#: What the answer is prefilled with before its first token is scored.
ANSWER_PREFIX = "Answer:"

#: What a written thought begins with.
THOUGHT_PREFIX = "Thought:"

#: Instructions by name, ``{options}`` being "yes or no" or "no or yes".
WORDINGS = {
    "answer": "Answer {options} according to your values.",
    "say": "Please say {options} according to your values.",
    "reply": "Your reply should be {options} according to your values.",
}

#: In what frame a question is put: the tokenizer's chat format, or one of the two of Kang et al.
LAYOUTS = ("chat", "kang-plain", "kang-headers")

#: The two examples of the layouts of Kang et al.: question, thought and answer of each.
EXAMPLES = (
    ("Would you lend a pen to a stranger?", "A pen costs me little.", "yes"),
    ("Would you swim in a storm?", "The sea would be stronger than I am.", "no"),
)

# No text contains it, and it is no white space, which many templates trim.
_MARKER, _ANSWER = "\x02", "\x03"

# What opens or closes a thought, such as <think>, [THINK] or <|START_THINKING|>.
_THOUGHT = re.compile(r"[<\[][|/:\w]*(?:think|thought|reason)[\w|]*[>\]]", re.IGNORECASE)

# Stands before a template, whose function for today's date it hides.
_DAY = "{% macro strftime_now(form) %}01 Jan 2025{% endmacro %}{{ '' }}"

# A template that takes longer, or writes more (ten times the longest chat), is taken to be broken.
_SECONDS, _LONGEST = 10, 10**6

_UNFIT = "the chat template of {!r} {}; use another model, or the layout 'kang-plain'"


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
        for what, known in (("wording", WORDINGS), ("layout", LAYOUTS)):
            require_known(getattr(self, what), known, what)

    @property
    def name(self) -> str:
        """Labels the answers, for instance ``"answer, yes first"``."""
        parts = [self.wording, "yes first" if self.yes_first else "no first"]
        parts += ["think"] if self.think else []
        return ", ".join(parts if self.layout == "chat" else [*parts, self.layout])

    @classmethod
    def from_name(cls, name: str) -> "PromptFormat":
        """Return the format whose `name` this is."""
        for fmt in starmap(cls, product(WORDINGS, (True, False), (False, True), LAYOUTS)):
            if fmt.name == name:
                return fmt
        raise ValueError(f"no prompt format is called {name!r}; one is {cls().name!r}")

    @property
    def instruction(self) -> str:
        """The instruction, ending in the site's words and a full stop."""
        options = "yes or no" if self.yes_first else "no or yes"
        text = WORDINGS[self.wording].format(options=options)
        return f"Think first. {text}" if self.think else text


def render_prompt(tokenizer, question, role=None, *, fmt=None, prefill=ANSWER_PREFIX) -> str:
    """Write one prompt in the chat format of a tokenizer, up to the position of the answer.

    The text already holds the special tokens: encode it with ``add_special_tokens=False``.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
        Where its chat template has no system turn (Gemma), the role stands before the instruction
        of the user's turn. A role takes the place of a default system turn (Qwen2.5, SmolLM2).
    question : str
        What is asked.
    role : Role, optional
        Who the respondent is asked to be; None for itself.
    fmt : PromptFormat, optional
        How the question is put; by default the plain instruction, yes named first.
    prefill : str
        What the answer is made to begin with.
    """
    return "".join(render_parts(tokenizer, [question], role, fmt=fmt, prefill=prefill)[0])


def render_parts(tokenizer, questions, role=None, *, fmt=None, prefill=ANSWER_PREFIX) -> list:
    """Write the prompts of many questions to one role, each split where its question begins.

    Parameters
    ----------
    questions : sequence of str
        One prompt each; all else is as for `render_prompt`.

    Returns
    -------
    list of (str, str)
        Prefix, the same for all of them, and suffix of each prompt. In the chat layout the prefix
        ends with the full stop after the site.
    """
    fmt = fmt or PromptFormat()
    require(all(question.strip() for question in questions), "a question has no text; write one")
    if fmt.layout == "chat" and tokenizer.chat_template is None:
        raise ValueError(_UNFIT.format(tokenizer.name_or_path, "does not exist"))
    frame = _chat_frame if fmt.layout == "chat" else _kang_frame
    # The space before the question belongs to the suffix: many tokenizers join it to the next word.
    parts = frame(tokenizer, role, fmt, _MARKER).split(f" {_MARKER}")
    if len(parts) != 2 or (role is not None and role.text.strip() not in parts[0]):
        raise ValueError(_UNFIT.format(tokenizer.name_or_path, "drops or changes turns"))
    return [(parts[0], f" {question.strip()}{parts[1]}{prefill}") for question in questions]


def _chat_frame(tokenizer, role: Role | None, fmt: PromptFormat, question: str) -> str:
    """Render the turns; a role goes into the system turn where there is one."""
    turns = [("user", f"{fmt.instruction} {question}")]
    if role is not None and has_system_turn(tokenizer):
        # What is told to the model itself is added to what its template says of it.
        default = default_system(tokenizer) if role.name == NO_ROLE else ""
        turns.insert(0, ("system", f"{default} {role.text}".strip()))
    elif role is not None:
        turns[0] = ("user", f"{role.text}\n{turns[0][1]}")
    text = render_turns(tokenizer, turns, add_generation_prompt=True)
    # Some ask for a turn without leading to the place where its words begin (gpt-oss, Llama 2).
    with suppress(ValueError):
        begun = render_turns(tokenizer, [*turns, ("assistant", _ANSWER)]).partition(_ANSWER)[0]
        text = begun if begun.startswith(text) else text
    tag = (_THOUGHT.findall(text.rpartition(question)[2]) or ["/"])[-1]
    if "/" in tag or "END" in tag:
        return text
    leaves = f"leaves a thought open by {tag}"
    require("|" not in tag, _UNFIT.format(tokenizer.name_or_path, leaves))
    return f"{text}\n{tag[0]}/{tag[1:]}\n\n"


def render_turns(tokenizer, turns, **options) -> str:
    """Render turns (who, text) by the chat template, without a thought where it has the switch."""
    options |= {"tokenize": False, "enable_thinking": False}
    plain, why = [{"role": who, "content": text} for who, text in turns], ["drops or changes turns"]
    # Templates of models that also see want a list of parts, and make nothing of a string.
    parts = [turn | {"content": [{"type": "text", "text": turn["content"]}]} for turn in plain]

    def fitting():
        for messages in (plain, parts):
            try:
                template = _DAY + tokenizer.get_chat_template()
                text = tokenizer.apply_chat_template(messages, chat_template=template, **options)
                if len(text) < _LONGEST and all(content.strip() in text for _, content in turns):
                    return made.append(text)
            except Exception as error:  # a template is code of others: it may fail in any way
                why.append(f"fails ({error})")

    thread, made = Thread(target=fitting, daemon=True), []  # left alone if it does not end
    thread.start()
    thread.join(_SECONDS)
    why += [f"takes more than {_SECONDS} s"] * thread.is_alive()
    require(made, _UNFIT.format(tokenizer.name_or_path, why[:2][-1]))
    return made[0]


def has_system_turn(tokenizer) -> bool:
    """Tell whether the chat template takes a system turn (Gemma's refuses one)."""
    try:
        return bool(render_turns(tokenizer, [("system", "system-turn-probe"), ("user", "?")]))
    except ValueError:
        return False


def default_system(tokenizer) -> str:
    """Return the text that the template writes into a system turn of its own; often none."""
    turns = [("system", _MARKER), ("user", "?")]
    before, _, after = render_turns(tokenizer, turns).partition(_MARKER)
    alone = render_turns(tokenizer, turns[1:])
    same = alone.startswith(before) and alone.endswith(after)
    return alone[len(before) : len(alone) - len(after)] if same else ""


def _kang_frame(tokenizer, role: Role | None, fmt: PromptFormat, question: str) -> str:
    """Write instruction, role as a note, two examples and question, as Kang et al. order them."""
    lines = [fmt.instruction, *([] if role is None else [f"Note: {role.text}"])]
    for example, thought, answer in EXAMPLES if fmt.yes_first else EXAMPLES[::-1]:
        thought = f"Thought: {thought} " if fmt.think else ""
        lines.append(f"Example: {example} {thought}Answer: {answer}")
    frame = "\n".join(lines)
    if fmt.layout == "kang-plain":
        return f"{tokenizer.bos_token or ''}{frame}\nQuestion: {question}\n"
    special = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
    if missing := [token for token in special if token not in tokenizer.get_vocab()]:
        lack = f"{tokenizer.name_or_path!r} has no token {missing[0]!r} of Llama 3"
        raise ValueError(f"{lack}, so no layout 'kang-headers'; use 'kang-plain' or 'chat'")
    begin, start, end, stop = special
    turns = [("system", frame), ("user", f"Question: {question}"), ("assistant", "")]
    return begin + stop.join(f"{start}{who}{end}\n\n{text}" for who, text in turns)


def site_tokens(tokenizer, prefix: str, *, fmt: PromptFormat) -> range:
    """Find the tokens of the site in the encoded prefix of a prompt.

    Parameters
    ----------
    tokenizer
        Encodes the prefix; it must tell where its tokens lie in the text (a fast tokenizer).
    prefix
        First part of a prompt, from `render_parts`.
    fmt
        The format it was made with.

    Returns
    -------
    range
        Indices of the tokens; a space before the words belongs to the first in many tokenizers.
    """
    # Within the instruction: a role may use the site's words, too.
    start = prefix.rfind(SITE, 0, prefix.rfind(fmt.instruction) + len(fmt.instruction))
    encoded = tokenizer(prefix, add_special_tokens=False, return_offsets_mapping=True)
    spans = encoded["offset_mapping"]
    first = next(k for k, (_, stop) in enumerate(spans) if stop > start)
    last = next((k for k, (_, stop) in enumerate(spans) if stop == start + len(SITE)), None)
    if last is None or prefix[spans[first][0] : start].strip():
        joined = f"the tokenizer of {tokenizer.name_or_path!r} joins the site's words {SITE!r}"
        raise ValueError(f"{joined} to other text; use another wording or layout")
    return range(first, last + 1)
