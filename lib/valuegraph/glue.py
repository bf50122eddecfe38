"""Numbers of a chapter that its text quotes.

In the book, ``myst_nb`` keeps a glued number and puts it into the text. A notebook that is opened
elsewhere has no ``myst_nb``; there gluing does nothing, and the cell runs all the same.
"""

from __future__ import annotations

try:
    from myst_nb import glue
except ImportError:

    def glue(name: str, variable: object, display: bool = True) -> None:
        """Do nothing in place of ``myst_nb.glue``, which takes the same arguments."""


__all__ = ["glue"]
