"""Sentences as the unit: what a graph owes to the very sentences that roles are made of.

Roles reuse sentences. Where each sentence moves many values at once, by whatever amounts, values go
together over roles though none acts on another, and more roles only make it look firmer. So scores
are split into what sentences do and what is left:

    scores = mean + table @ effects + residual

The sentence null gives the effects to other sentences of the same kind, and the residuals to other
roles, separately for each value: all sentences move each value as strongly as before, but which
values they move together is chance. A resample instead draws whole sentences, with all that they
do, so that what hangs on these very sentences comes and goes.

Measured with 1,000 roles of 128 facts, alpha .01. A respondent whose values do not act on each
other, while every fact moves all of them at random (70 % of the variance): PC finds 17 edges, the
null of roles .5, the sentence null 16; exact search keeps 15 firm edges over roles, 4 over
sentences, where its sentence null keeps 6. Of 24 such respondents 4 to 12 % beat the null. The
structure of `organism-human` beats it (18 edges against 9), that of `organism-alien` by PC (18
against 12), but not by a single exact search (18 against 15 +- 3): there are 80 sentences, however
many roles. Firm edges tell more: 18 of either, against 3 or 4.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

RIDGE = 1.0  # roles that speak for no effect, so that a sentence of few roles is not overrated


@dataclass(frozen=True, eq=False)
class SentenceModel:
    """Scores of roles, split into what their sentences do and what is left.

    Attributes
    ----------
    table : numpy.ndarray
        Which role holds which sentence, ``(n, s)``, less the mean over roles.
    kinds : tuple of numpy.ndarray
        Places of the sentences of each kind.
    effects : numpy.ndarray
        What each sentence adds to each value, ``(s, p)``, in the unit of the scores.
    residual : numpy.ndarray
        What is left of the scores, ``(n, p)``.
    """

    table: np.ndarray
    kinds: tuple[np.ndarray, ...]
    effects: np.ndarray
    residual: np.ndarray

    @property
    def sample(self) -> np.ndarray:
        """The scores less their means, ``(n, p)``, as searches take them."""
        return self.table @ self.effects + self.residual

    def without_dependence(self, rng: np.random.Generator) -> "SentenceModel":
        """Permute effects within kinds, and residuals, for each value on its own."""
        effects = self.effects.copy()
        for kind in self.kinds:
            effects[kind] = rng.permuted(effects[kind], axis=0)
        return replace(self, effects=effects, residual=rng.permuted(self.residual, axis=0))

    def resampled(self, rng: np.random.Generator) -> "SentenceModel":
        """Draw what whole sentences do within kinds, and residuals of roles, with replacement."""
        effects = self.effects.copy()
        for kind in self.kinds:
            effects[kind] = effects[rng.choice(kind, size=len(kind))]
        n = len(self.residual)
        return replace(self, effects=effects, residual=self.residual[rng.integers(n, size=n)])


def sentence_model(scores: pd.DataFrame, sentences: pd.DataFrame) -> SentenceModel:
    """Split the scores of roles by least squares, with a little ridge.

    Parameters
    ----------
    scores : pandas.DataFrame
        One row a role, one column a value.
    sentences : pandas.DataFrame
        Which role (row) holds which sentence (column), 0 or 1. The columns have two levels: the
        kind of the sentence, such as the value that it is about, and its name; with a single level
        all are of one kind. One that is alone in its kind keeps what it does in every draw.
        :func:`valuegraph.roles.sentence_table` makes the table.

    Returns
    -------
    SentenceModel
        Values sorted by name; sentences that none of the roles hold, or all, are left out.
    """
    if not isinstance(scores, pd.DataFrame) or not isinstance(sentences, pd.DataFrame):
        raise ValueError("sentences need scores of roles, and a table of roles by sentences")
    index = scores.index
    roles = index.get_level_values("role" if "role" in index.names else -1)
    lacking = roles.difference(sentences.index)
    if len(lacking) or roles.has_duplicates or sentences.index.has_duplicates:
        which = f"role {lacking[0]!r} is missing" if len(lacking) else "some role stands twice"
        raise ValueError(f"sentences and scores need one row for each role, but {which}")
    if not sentences.isin([0, 1]).all(axis=None):
        raise ValueError("the table of sentences holds 0 and 1: whether a role has the sentence")
    table = sentences.loc[roles]
    table = table.loc[:, table.nunique() > 1].sort_index(axis=1)
    if table.empty:
        way_out = "for roles of no bank make the table yourself: a column for each job of personas"
        raise ValueError(f"no sentence is held by some roles and not by others; {way_out}")
    several = table.columns.nlevels > 1
    kind = table.columns.get_level_values(0) if several else pd.Index([""] * table.shape[1])
    held, rows = table.to_numpy(dtype=float), scores[sorted(scores)].to_numpy(dtype=float)
    held, rows = held - held.mean(axis=0), rows - rows.mean(axis=0)
    effects = np.linalg.solve(held.T @ held + RIDGE * np.eye(held.shape[1]), held.T @ rows)
    kinds = tuple(np.flatnonzero(kind == one) for one in kind.unique())
    return SentenceModel(held, kinds, effects, rows - held @ effects)


def sentence_facts(null_edges: np.ndarray, edges: float) -> dict[str, object]:
    """Say how many edges the sentence null has, and whether a graph has no more of them.

    Parameters
    ----------
    null_edges : numpy.ndarray
        Number of edges of each draw.
    edges : float
        Number of edges of the graph.

    Returns
    -------
    dict
        ``sentence_null_edges`` and ``sentence_null_sd``; ``sentences_only`` (true) where the graph
        has no more edges than 95 % of the draws.
    """
    facts = {"sentence_null_edges": float(null_edges.mean())}
    facts["sentence_null_sd"] = float(null_edges.std())
    return facts | ({"sentences_only": True} if edges <= np.quantile(null_edges, 0.95) else {})
