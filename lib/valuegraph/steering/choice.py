"""Choosing features by a stated rule: what is active, then what does most, and does it alone.

Kang et al. (2025) take the features that are most active at the site and keep some of them by hand.
Activity says what a feature *reads*, not what it does; choosing by the effect on what is said finds
features that steer two to three times as well (Arad, Mueller and Belinkov, 2025). Here activity
proposes, effects decide, and the rule, all candidates and their ranks are part of the result.

**What is specific?** The effects of a push form an arrow over all values. Its cosine with the
value's own axis is 1 for a push that moves this value alone. But where values cause each other, a
push of a cause moves its descendants as well: that is what the value does, not a fault of the
feature, and the cosine with the own axis then prefers values at the end of the chain. With
`expected` one says what a push of each value should move - total effects from a discovered graph,
or from a known truth - and the cosine is taken with that. The first needs no graph, so it is the
default; only it may be used where the graph is then to be tested on the features chosen.

References
----------
Arad, D., Mueller, A., & Belinkov, Y. (2025). SAEs are good for steering - if you select the right
features. EMNLP.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from valuegraph.answers import NO_INTERVENTION, score_answers
from valuegraph.splitting import require_whole
from valuegraph.steering.changes import changes_of_scores
from valuegraph.steering.ranking import axes_of, candidates_by_activity, rank_pushes

if TYPE_CHECKING:
    from sae_lens import SAE

    from valuegraph.asking.prompts import PromptFormat
    from valuegraph.inventory import Inventory
    from valuegraph.models import Respondent
    from valuegraph.roles import Role

#: Which ways candidates are pushed, by sign.
_WAYS = {(1, -1): "up and down", (1,): "up only", (-1,): "down only"}


class Chosen(NamedTuple):
    """The feature that raises a value by the rule.

    Attributes
    ----------
    feature
        Its number.
    sign
        +1 if more of it raises the value, -1 if less of it does.
    coefficient
        What it was pushed by, a signed multiple of the raw decoder row.
    """

    feature: int
    sign: int
    coefficient: float


@dataclass(frozen=True, eq=False)
class FeatureChoice:
    """Features chosen for values, and how.

    Attributes
    ----------
    sae
        Name of the autoencoder.
    rule
        The rule in words.
    parameters
        What `choose_features` was given.
    table
        One row for each candidate, sign and value, in the order of activity; columns ``feature``,
        ``activity_rank`` (1 for the most active), ``rate`` (share of the roles on which it fires),
        ``activity`` (mean over all roles), ``sign``, ``coefficient`` (of the raw row), ``value``,
        ``effect`` (mean change, in the unit of the scores), ``size`` (the same in standard
        deviations of the value over the roles), ``specificity`` (cosine), ``score`` (size times
        specificity, negative unless both are positive), ``rank`` (1 for the best of the value).
    roles
        Roles that it was made on.
    items
        Questions that it was made on.
    """

    sae: str
    rule: str
    parameters: Mapping[str, object]
    table: pd.DataFrame
    roles: tuple[Role, ...]
    items: tuple[str, ...]

    @property
    def candidates(self) -> pd.DataFrame:
        """Index ``feature`` in the order of activity; columns activity_rank, rate, activity."""
        columns = ["activity_rank", "rate", "activity"]
        return self.table.drop_duplicates("feature").set_index("feature")[columns]

    def best(self, value: str) -> Chosen:
        """Return what raises a value best by the rule.

        Raises
        ------
        ValueError
            If the value was not asked, or nothing raises it.
        """
        of_value = self.table[self.table["value"] == value]
        if of_value.empty:
            known = ", ".join(self.table["value"].unique())
            raise ValueError(f"unknown value {value!r}; features were chosen for {known}")
        row = of_value.loc[of_value["rank"].idxmin()]
        if row["score"] <= 0:
            raise ValueError(
                f"none of {len(self.candidates)} candidates raises {value}; allow more candidates, "
                "or features that fire on fewer roles"
            )
        return Chosen(int(row["feature"]), int(row["sign"]), float(row["coefficient"]))

    def chosen(self) -> pd.DataFrame:
        """Return the rows of rank 1, one per value that something raises; index ``value``."""
        first = self.table.query("rank == 1 and score > 0").set_index("value")
        return first.loc[[v for v in self.table["value"].unique() if v in first.index]]

    def require_unseen(self, roles: Sequence[Role | None], inventory: Inventory) -> None:
        """Refuse roles and questions on which the features were chosen.

        Parameters
        ----------
        roles, inventory
            On which the chosen features are to be judged.

        Raises
        ------
        ValueError
            If a role's text or an item was used in choosing.
        """
        seen = {role.text for role in self.roles}
        again = {
            "roles": [r.name for r in roles if r is not None and r.text in seen],
            "items": [item for item in inventory.items["item"] if item in self.items],
        }
        for what, names in again.items():
            if names:
                raise ValueError(
                    f"{len(names)} {what} were used in choosing, first {names[0]!r}; judge the "
                    f"features on others (split_{what})"
                )


def choose_features(
    respondent: Respondent,
    sae: SAE,
    inventory: Inventory,
    roles: Sequence[Role],
    *,
    n_candidates: int = 24,
    min_rate: float = 0.2,
    strength: float = 1.0,
    signs: tuple[int, ...] = (1, -1),
    expected: pd.DataFrame | None = None,
    layer: int | None = None,
    where: str = "site-end",
    by: str = "log_odds",
    fmt: PromptFormat | None = None,
    progress: bool = False,
) -> FeatureChoice:
    """Choose features for every value of an inventory, by activity and then by effect.

    Parameters
    ----------
    respondent
        Whom to ask.
    sae
        A sparse autoencoder of its residual stream.
    inventory, roles
        Train items and train roles (`valuegraph.splitting`): the features are to be judged on
        others.
    n_candidates
        How many features are pushed, at most: those that are most active at the site's last token,
        on average over the roles. 24 in Kang et al. (2025).
    min_rate
        Share of the roles on which a candidate fires, at least. A feature that fires on few has no
        typical activation.
    strength
        How many typical activations a push is; the typical activation of a feature is its mean
        where it fires.
    signs
        Ways in which each is pushed. Both are measured by default: what lowers a value when added
        need not raise it as much when taken away.
    expected
        What a push of each value should move: rows the value pushed, columns the values moved, in
        the unit of the scores, each row up to a positive factor. By default each value moves alone.
        See the head of this module.
    layer, where
        Whose output is shifted and at which tokens, as for `valuegraph.steering.sae.feature_shift`;
        activity is read at the same layer.
    by, fmt, progress
        As for `valuegraph.steering.effects.effects`.

    Returns
    -------
    FeatureChoice
        The rule, all candidates with their ranks, and the best for each value.

    Raises
    ------
    ValueError
        If an option is out of range, `expected` lacks a value, no feature is active on enough
        roles, a value does not vary over the roles, or the autoencoder does not fit.
    """
    from valuegraph.asking.states import site_states
    from valuegraph.elicitation import elicit
    from valuegraph.steering.activity import feature_activity
    from valuegraph.steering.sae import feature_shift, hook_layer, sae_name

    roles = tuple(roles)
    _check(roles, n_candidates, min_rate, strength, signs)
    axes = axes_of(expected, inventory.codes)
    layer = hook_layer(sae) if layer is None else layer
    activity = feature_activity(sae, site_states(respondent, roles, layer=layer, fmt=fmt))
    found = candidates_by_activity(activity, n_candidates=n_candidates, min_rate=min_rate)
    pushes = pd.DataFrame(
        [
            {
                "feature": feature,
                "activity_rank": rank,
                "rate": row["rate"],
                "activity": row["activity"],
                "sign": sign,
                "coefficient": sign * strength * row["typical"],
            }
            for rank, (feature, row) in enumerate(found.iterrows(), start=1)
            for sign in signs
        ]
    )
    shifts = [
        feature_shift(sae, push.feature, coefficient=push.coefficient, layer=layer, where=where)
        for push in pushes.itertuples()
    ]
    answers = elicit(
        respondent, inventory, roles, interventions=[None, *shifts], fmt=fmt, progress=progress
    )
    scores = score_answers(answers, by=by)[list(inventory.codes)]
    spread = scores.loc[NO_INTERVENTION].std()
    if not (spread > 0).all():
        raise ValueError(
            f"{', '.join(spread.index[~(spread > 0)])} does not vary over the roles, so a change "
            "of it has no size; take more roles, or leave the value out"
        )
    effects = np.stack([c.mean().to_numpy() for c in changes_of_scores(scores).values()])
    parameters = {
        "n_candidates": n_candidates,
        "min_rate": min_rate,
        "strength": strength,
        "signs": signs,
        "expected": expected is not None,
        "layer": layer,
        "where": where,
        "by": by,
    }
    return FeatureChoice(
        sae_name(sae),
        _rule(parameters, len(found)),
        parameters,
        rank_pushes(pushes, effects, spread, axes),
        roles,
        tuple(inventory.items["item"]),
    )


def _check(
    roles: tuple, n_candidates: int, min_rate: float, strength: float, signs: tuple[int, ...]
) -> None:
    if len(roles) < 2 or None in roles:
        raise ValueError(f"choosing needs at least 2 roles, none of them None; got {len(roles)}")
    require_whole(n_candidates, 1, "n_candidates is")
    if not 0 <= min_rate <= 1:
        raise ValueError(f"min_rate must lie between 0 and 1, got {min_rate}")
    if not strength > 0:
        raise ValueError(f"strength must be positive, got {strength}; signs say which way")
    if tuple(signs) not in _WAYS:
        raise ValueError(f"signs must be one of {', '.join(map(str, _WAYS))}, got {signs}")


def _rule(parameters: Mapping[str, object], n: int) -> str:
    axis = "what was expected of the value" if parameters["expected"] else "the value's own axis"
    return (
        f"Of the features that fire at the site on at least {parameters['min_rate']:.0%} of the "
        f"train roles, the {n} most active on average are candidates (at most "
        f"{parameters['n_candidates']}). Each is pushed by {parameters['strength']:g} times its "
        f"typical activation, {_WAYS[parameters['signs']]}, on train roles and items. For each "
        "value, pushes are ranked by the mean change of the value, in its standard deviations over "
        f"the train roles, times the cosine between all changes, in that unit, and {axis}; pushes "
        "that do not raise the value, or have a cosine of 0 or less, stand last."
    )
