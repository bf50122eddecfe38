"""Numbers of a chapter that its text quotes.

In the book, ``myst_nb`` keeps a glued number and puts it into the text. A notebook that is opened
elsewhere has no ``myst_nb``; there gluing does nothing, and the cell runs all the same.
"""

from __future__ import annotations

import numpy as np

__all__ = ["glue"]


def glue(name: str, value: object, *, display: bool = True) -> None:
    """Keep a number for the text of the book, where there is one.

    Parameters
    ----------
    name
        What the text calls it.
    value
        The number. One of numpy's is kept as Python's own: the book formats what it prints as.
    display
        Whether the cell shows it, too.
    """
    try:
        from myst_nb import glue as keep
    except ImportError:
        return
    keep(name, value.item() if isinstance(value, np.generic) else value, display=display)
