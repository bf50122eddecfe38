"""The two frames in which Kang et al. (2025) put a question: plain text, and Llama 3's headers.

Their order is kept: instruction, role as a note, two examples of one line, question. The words are
our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from valuegraph.roles import Role

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from valuegraph.asking.prompts import PromptFormat

#: The two examples: question, thought and answer of each.
EXAMPLES = (
    ("Would you lend a pen to a stranger?", "A pen costs me little.", "yes"),
    ("Would you swim in a storm?", "The sea would be stronger than I am.", "no"),
)


def kang_frame(
    tokenizer: PreTrainedTokenizerBase, role: Role | None, fmt: PromptFormat, question: str
) -> str:
    """Write instruction, role as a note, two examples and question, up to where the answer begins.

    Parameters
    ----------
    tokenizer
        Gives the beginning of text, and has the header tokens if the layout needs them.
    role
        Who the respondent is asked to be; None for itself.
    fmt
        A format in one of the layouts of Kang et al.
    question
        What is asked.

    Returns
    -------
    str
        The text; the thought or the answer is to follow it.

    Raises
    ------
    ValueError
        If the tokenizer lacks the tokens that the layout needs.
    """
    examples = EXAMPLES if fmt.yes_first else EXAMPLES[::-1]
    lines = [
        fmt.instruction,
        *([] if role is None else [f"Note: {role.text}"]),
        *(
            f"Example: {example} {f'Thought: {thought} ' if fmt.think else ''}Answer: {answer}"
            for example, thought, answer in examples
        ),
    ]
    if fmt.layout == "kang-plain":
        return f"{tokenizer.bos_token or ''}{chr(10).join(lines)}\nQuestion: {question}\n"
    special = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
    missing = [t for t in special if t not in tokenizer.get_vocab()]
    if missing:
        raise ValueError(
            f"the tokenizer of {tokenizer.name_or_path!r} has no token {missing[0]!r}, so the "
            "layout 'kang-headers', which is meant for Llama 3, is not for it; "
            "use 'kang-plain' or 'chat'"
        )
    begin, start, end, stop = special
    turns = [("system", "\n".join(lines)), ("user", f"Question: {question}"), ("assistant", "")]
    return begin + stop.join(f"{start}{who}{end}\n\n{text}" for who, text in turns)
