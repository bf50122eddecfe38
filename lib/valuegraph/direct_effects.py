"""The linear cyclic model behind acting: one robust regression for each value.

For every value ``w`` and every intervention that is not about ``w``,

    change[w] = intercept[w] + sum_j B[j, w] change[j],

in which three things are not left to least squares. *Noise* in the changes would pull weights to
zero, so that sums of products run over different roles and different items, whose noise is
independent. *Side effects* of single interventions (a sentence about one value may speak of
another) get bounded weight. *Errors* are those of interventions, roles and items, all of which are
drawn from larger sets.

References
----------
Hyttinen, A., Eberhardt, F., Hoyer, P. O. (2012). Learning linear cyclic causal models with latent
variables. JMLR 13, 3387-3439.
Cameron, A. C., Gelbach, J. B., Miller, D. L. (2011). Robust inference with multiway clustering.
Journal of Business & Economic Statistics 29, 238-249.
Huber, P. J. (1964). Robust estimation of a location parameter. Annals of Mathematical Statistics
35, 73-101.
"""

from typing import NamedTuple

import numpy as np
from scipy import linalg

#: Fewest interventions beyond the unknowns of an equation: errors are read off what is left over.
MIN_SPARE = 3

#: Sources of a weight's error: what interventions do past the model, the noise of single answers,
#: and what differs between roles and between items.
PARTS = ("pushes", "noise", "roles", "items")

_HUBER = 1.345  # in standard deviations: 95 % of the efficiency of least squares where all is clean


class Changes(NamedTuple):
    """Changes of every item under every intervention, and what each of both is about."""

    cube: np.ndarray  # (interventions, roles, items), in the unit of the scores
    item_value: np.ndarray  # (items,): place of the item's value
    target: np.ndarray  # (interventions,): place of the value it is about, -1 for none
    group: np.ndarray  # (interventions,): 0 for sentences, 1 for shifts; each has its intercept
    kind: np.ndarray  # (interventions,), str

    def among(self, chosen: np.ndarray) -> "Changes":
        """Return some of the interventions."""
        cube, item_value, *of_each = self
        return Changes(cube[chosen], item_value, *(part[chosen] for part in of_each))

    def of_values(self, d: int) -> tuple[np.ndarray, np.ndarray]:
        """Tell which value an item is about, (items, d), and changes of values (n, roles, d)."""
        one = (self.item_value[:, None] == np.arange(d)).astype(float)
        return one, self.cube @ one / one.sum(axis=0)


class Fitted(NamedTuple):
    """Weights ``[cause, effect]`` with their errors, and the residuals of every equation."""

    weights: np.ndarray  # (d, d)
    sd: np.ndarray  # (d, d)
    df: np.ndarray  # (d, d), of Student's t
    parts: np.ndarray  # (d, d, 4): variance by pushes, noise, roles, items
    misfit: np.ndarray  # (d, 4): squared residuals, their noise, degrees of freedom of both


def fit(changes: Changes, d: int) -> Fitted | None:
    """Fit the equation of every value; None where interventions are too few."""
    fitted = Fitted(*np.zeros((2, d, d)), np.ones((d, d)), np.zeros((d, d, 4)), np.zeros((d, 4)))
    sums = _Sums.of(changes, d)
    for w in range(d):
        chosen = changes.target != w
        rows, others = changes.among(chosen), np.flatnonzero(np.arange(d) != w)
        spare = len(rows.cube) - len(others) - len(np.unique(rows.group))
        if spare < MIN_SPARE or not np.isin(others, rows.target).all():
            return None
        weights, variance, fitted.misfit[w] = _equation(rows, sums.among(chosen), w, others, spare)
        fitted.weights[others, w], fitted.parts[others, w] = weights, variance
        total = variance.sum(axis=1)
        # Welch and Satterthwaite: degrees of freedom of a sum of variances.
        n_roles, n_items = rows.cube.shape[1], np.bincount(rows.item_value).min()
        tail = variance[:, 0] ** 2 / spare + variance[:, 2] ** 2 / (n_roles - 1)
        tail += variance[:, 3] ** 2 / (n_items - 1)
        fitted.sd[others, w], fitted.df[others, w] = np.sqrt(total), total**2 / tail
    # What is left of the equations is the noise of answers, which the roles show, and side effects.
    left, noise, *_ = fitted.misfit.sum(axis=0)
    share = min(1.0, noise / left) if left > 0 else 1.0
    fitted.parts[:, :, 1] = share * fitted.parts[:, :, 0]
    fitted.parts[:, :, 0] -= fitted.parts[:, :, 1]
    return fitted


def _equation(rows: Changes, sums: "_Sums", w: int, others: np.ndarray, spare: int):
    """Regress the changes of one value on those of the others, over interventions.

    Returns weights (d - 1,), their variance by source (d - 1, 4), and the misfit's figures.
    """
    n, n_roles, _ = rows.cube.shape
    n_items = sums.one.sum(axis=0)
    bounded = np.ones(n)  # Huber's weights
    for _ in range(20):
        by_role, by_item = sums.centred(bounded)  # (n, roles, d) and (n, items)
        mean = by_role.mean(axis=1)  # (n, d)
        gram, noise = sums.products(bounded, by_role, by_item)
        own, own_noise = gram[np.ix_(others, others)], noise[np.ix_(others, others)]
        # All noise is taken out, unless that would leave less than a tenth of some direction.
        top = linalg.eigh(own_noise, own, eigvals_only=True)[-1]
        taken = min(1.0, 0.9 / top) if top > 0 else 1.0
        left = own - taken * own_noise
        weights = np.linalg.solve(left, (gram - taken * noise)[others, w])
        x, e = mean[:, others], mean[:, w] - mean[:, others] @ weights
        scale = max(np.median(np.abs(e)) / 0.6745, 0.01 * np.sqrt(np.mean(mean**2)), 1e-9)
        bound = _HUBER * np.sqrt(n / spare) * scale
        before, bounded = bounded, np.minimum(1, bound / np.maximum(np.abs(e), 1e-12))
        if np.abs(bounded - before).max() < 1e-3:
            break
    bread = np.linalg.inv(left * (np.abs(e) <= bound).mean() / before.mean())
    in_group = np.array([before[rows.group == g].sum() for g in rows.group])
    leverage = before * np.einsum("pj,jk,pk->p", x, np.linalg.inv(own), x) + before / in_group
    free = 1 - np.clip(leverage, 0, 0.9)
    # Contributions to the equations: of interventions, of roles within them, of items within them.
    of_push = (before * e / free)[:, None] * x
    coefficient = np.zeros(len(n_items))
    coefficient[w], coefficient[others] = 1, -weights
    error = by_role @ coefficient  # (n, roles)
    of_role = error[:, :, None] * x[:, None] + e[:, None, None] * by_role[:, :, others]
    of_role = before[:, None, None] * (of_role - of_role.mean(axis=1, keepdims=True)) / n_roles
    of_item = _by_item(rows, by_item, coefficient, e, x, others, sums.one / n_items)
    of_item = before[:, None, None] * of_item
    sources = [of_push.T @ of_push]
    sources += [_shared(of_role, n_roles), _shared(of_item, int(n_items.min()))]
    total, by_roles, by_items = (np.maximum(np.diag(bread @ v @ bread), 0) for v in sources)
    noise_in_e = np.mean(error.var(axis=1, ddof=1)) / n_roles
    misfit = [np.sum(e**2), noise_in_e * spare, spare, spare * (n_roles - 1)]
    return weights, np.stack([total, 0 * total, by_roles, by_items], axis=1), misfit


class _Sums(NamedTuple):
    """Sums of changes over roles and items, which is all that fits with other weights need."""

    one: np.ndarray  # (items, d): which value an item is about
    cube: np.ndarray  # (n, roles, items)
    group: np.ndarray  # (n,)
    by_role: np.ndarray  # (n, roles, d)
    by_item: np.ndarray  # (n, items)
    squares: np.ndarray  # (n, d)

    @classmethod
    def of(cls, changes: Changes, d: int) -> "_Sums":
        """Sum up all interventions, once for the equations of all values."""
        cube, (one, by_role) = changes.cube, changes.of_values(d)
        squares = (cube**2).sum(axis=1) @ one
        return cls(one, cube, changes.group, by_role, cube.mean(axis=1), squares)

    def among(self, chosen: np.ndarray) -> "_Sums":
        """Return the sums of some of the interventions."""
        return _Sums(self.one, *(part[chosen] for part in self[1:]))

    @property
    def groups(self) -> list[np.ndarray]:
        """Which interventions share an intercept."""
        return [self.group == g for g in np.unique(self.group)]

    def centred(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Take out what any intervention of a group does; return changes by role and by item."""
        by_role, by_item = self.by_role.copy(), self.by_item.copy()
        for own in self.groups:
            for part in (by_role, by_item):
                part[own] -= np.tensordot(weights[own], part[own], axes=1) / weights[own].sum()
        return by_role, by_item

    def products(self, weights, by_role, by_item) -> tuple[np.ndarray, np.ndarray]:
        """Sum products over interventions, (d, d); return them, and what noise adds to them.

        Products over different roles and different items hold no noise; the rest of the sum does.
        """
        n_roles, n_items, mean = by_role.shape[1], self.one.sum(axis=0), by_role.mean(axis=1)
        gram = np.einsum("p,pj,pk->jk", weights, mean, mean)
        same_role = np.einsum("p,prj,prk->jk", weights, by_role, by_role) / n_roles**2
        clean = (gram - same_role) * n_roles / (n_roles - 1)
        same_item = (weights @ by_item**2) @ self.one / n_items**2
        same_both = weights @ self.squares
        for own in self.groups:  # the squares of what was taken out
            total = np.tensordot(weights[own], self.cube[own], axes=1)
            same_both -= (total**2).sum(axis=0) @ self.one / weights[own].sum()
        own = np.diag(gram - same_role) - same_item + same_both / (n_roles * n_items) ** 2
        np.fill_diagonal(clean, own * n_roles / (n_roles - 1) * n_items / (n_items - 1))
        noise = gram - clean
        # Where nothing ever changes, sums are zero, and nothing is said of weights.
        return gram + 1e-12 * np.eye(len(gram)), (noise + noise.T) / 2


def _by_item(rows, mean, coefficient, e, x, others, share) -> np.ndarray:
    """Contributions of every item to the equations under every intervention, (n, items, d - 1)."""
    v = rows.item_value
    error = mean * coefficient[v] * share[range(len(v)), v]
    of_item = error[:, :, None] * x[:, None] + (e[:, None] * mean)[:, :, None] * share[:, others]
    for value in np.unique(v):
        of_item[:, v == value] -= of_item[:, v == value].mean(axis=1, keepdims=True)
    return of_item


def _shared(parts: np.ndarray, n: int) -> np.ndarray:
    """Variance by `n` units of parts (interventions, units, k) that interventions share."""
    whole = parts.sum(axis=0)
    return (whole.T @ whole - np.einsum("prj,prk->jk", parts, parts)) * n / (n - 1)
