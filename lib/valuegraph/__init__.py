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
    "runs.pace": ("measure_pace",),
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
    "graphs.total_effects": ("total_effects",),
    "graphs.comparison": ("compare_graphs",),
    "assessment": ("assess",),
    "humans": ("load_human",),
    "comparison": ("compare",),
    "model_comparison": ("compare_models",),
    "widgets": ("Slides",),
    "steering.prompts": ("hard_prompts", "single_facts", "stances"),
    "steering.effects": ("cosine", "effect_matrix", "effects", "effects_of"),
    "steering.costs": ("costs",),
    "steering.doses": ("dose_response", "useful_range"),
    "steering.controls": ("compare_controls",),
    "steering.sae": ("feature_shift", "load_sae"),
    "steering.directions": ("difference_of_means",),
    "steering.choice": ("choose_features",),
    "steering.side_effects": ("predict_side_effects",),
    "steering.actions": ("feature_actions", "shift_action", "told_actions"),
    "steering.action_measuring": ("measure_actions",),
    "steering.effect_prior": ("fit_prior",),
    "steering.plans": ("plan",),
    "steering.plan_checks": ("carry_out", "refine", "verify"),
    "steering.plan_rivals": ("best_prompt", "best_single"),
    "organisms.scm": ("StructuralModel",),
    "organisms.shipped": ("load_truth",),
    "stand_in": ("respondent_or_organism",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str):
    if name in _HOME_OF:
        return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
