"""Causal graphs of values in language models, measured by an instrument whose error is known.

The names used most can be imported from here; they are loaded when first asked for, so that
graphs and statistics do not wait for torch.
"""

from importlib import import_module

#: Home of each name, in the order of the road.
_HOMES = {
    "inventory": ("Inventory", "load_inventory", "read_inventory"),
    "roles": (
        "Role",
        "load_role_bank",
        "make_role",
        "read_roles",
        "role_shifts",
        "sample_roles",
    ),
    "personas": ("sample_personas",),
    "splitting": ("split_items", "split_roles"),
    "asking.prompts": ("PromptFormat",),
    "models": ("Respondent", "load_model"),
    "interventions": ("Combination", "Shift", "Told"),
    "elicitation": ("elicit",),
    "asking.states": ("site_states",),
    "answers": ("score_answers", "yes_bias"),
    "runs.plan": ("ModelSource", "Sweep"),
    "runs.sweep": ("run_sweep",),
    "runs.reading": ("read_run", "run_status"),
    "runs.merging": ("merge_runs",),
    "reliability": ("reliability_report",),
    "agreement": ("agreement_report",),
    "gating": ("SpreadThresholds", "check_spread", "require_spread"),
    "graphs.graph": ("ValueGraph",),
    "graphs.pag": ("PartialAncestralGraph",),
    "discovery": ("discover", "discover_from_correlation"),
    "confidence": ("bootstrap",),
    "graphs.comparison": ("compare_graphs",),
    "assessment": ("assess",),
    "humans": ("load_human",),
    "comparison": ("compare",),
    "model_comparison": ("compare_models",),
    "widgets": ("Slides",),
    "steering.effects": ("cosine", "effects_of", "steer"),
    "steering.sae": ("feature_shift", "load_sae"),
    "organisms.scm": ("StructuralModel",),
    "organisms.shipped": ("load_truth",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str):
    if name in _HOME_OF:
        return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
