"""Reading an answer out of generated text, by rules that stand here in full.

1. If the text holds "Answer" (any case) and then a colon, the answer is the first word after the
   first such place: yes or no, whatever marks of emphasis or quotation surround it. Another word
   there is no answer, nor is "yes or no" or the like in one sentence, and the text counts as
   unsure. A prompt that ends in "Answer:" is such a place; the text then begins with the answer.
2. Without such a place, the answer is the first word of the text if that is yes or no and one of
   ``.,;:!?`` or the end of the line follows ("No one knows" is no answer), or else the only word of
   its last line.
3. Everything else is unsure: neither of the two, a refusal, a text cut off too early.

No other model judges. What the rules cannot read is counted as unsure, and the share of unsure
answers is told with every result.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Parsed(NamedTuple):
    """An answer and where it stands.

    Attributes
    ----------
    answer
        +1 yes, -1 no, 0 unsure.
    start
        Position in the text at which the word of the answer begins; None if there is none.
    """

    answer: int
    start: int | None


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


def parse_answer(text: str, *, prefilled: bool = False) -> Parsed:
    """Read the answer out of a generated text.

    Parameters
    ----------
    text
        What was generated after the prompt.
    prefilled
        Whether the prompt ended in "Answer:".

    Returns
    -------
    Parsed
        The answer and its place.

    Examples
    --------
    >>> parse_answer("I would miss my friends. Answer: **No**.")
    Parsed(answer=-1, start=35)
    >>> parse_answer("It depends.").answer
    0
    >>> parse_answer(" Yes I would.").answer, parse_answer(" Yes I would.", prefilled=True).answer
    (0, 1)
    """
    start = _answer_place(text, prefilled)
    if start is not None:
        return _parsed(_AFTER_MARKER.match(text, start))
    last_line = text.rstrip().rfind("\n") + 1
    return _parsed(_FIRST.match(text) or _ALONE.match(text, last_line))


def is_settled(text: str, *, prefilled: bool = False) -> bool:
    """Tell whether nothing that is generated later can change the answer.

    That is so once the sentence or the line of "Answer:", or three words after it, are complete:
    only the first rule looks there.

    Parameters
    ----------
    text
        What was generated so far.
    prefilled
        Whether the prompt ended in "Answer:".
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


def _parsed(match: re.Match | None) -> Parsed:
    if match is None:
        return Parsed(0, None)
    return Parsed(1 if match["word"].lower() == "yes" else -1, match.start("word"))
