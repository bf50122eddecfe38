"""Numbers of a chapter that its text quotes."""

import numpy as np

try:
    from myst_nb import glue as _keep
except ImportError:  # a notebook opened outside the book: its cells run all the same
    _keep = None


def glue(name: str, value: object, *, display: bool = True) -> None:
    """Keep a number for the text of the book, and show it if `display` is true."""
    if _keep is not None:
        # The book formats what a number prints as: numpy's are kept as Python's own.
        _keep(name, value.item() if isinstance(value, np.generic) else value, display=display)
