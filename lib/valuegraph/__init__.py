"""Causal graphs of values in language models, measured by an instrument whose error is known.

Names are loaded when they are first used, so that graphs and statistics do not wait for torch.
"""

from importlib import import_module
from importlib.util import find_spec

#: Home of each public name, in the order in which data flows.
_HOMES = {
    "inventory": "load_inventory read_inventory split_items",
    "roles": "Role load_role_bank make_role read_roles sample_personas sample_roles split_roles",
    "organisms": "StructuralModel examine load_truth",
    "interventions": "Sentence Shift combine",
    "prompts": "PromptFormat",
    "models": "load_model",
    "hooks": "export_steered",
    "elicitation": "elicit",
    "probing": "next_words read_texts states",
    "answers": "check_spread require_spread score_answers yes_bias",
    "runs": "ModelSource Sweep run_sweep",
    "run_folder": "read_run run_status",
    "checking": "check_model",
    "psychometrics": "agreement reliability",
    "graph": "ValueGraph reached total_effects",
    "metrics": "compare_graphs mantel permutation_test",
    "discovery": "Correlations discover",
    "confidence": "bootstrap",
    "humans": "load_human",
    "model_pairs": "compare_models",
    "verdicts": "compare",
    "pushes": "difference_of_means hard_prompts single_facts stances word_pushes",
    "acting": "acted_graph find_targets",
    "effects": "cosine costs effect_matrix effects_of",
    "sae": "choose_features feature_activity feature_shift load_sae public_saes",
    "plans": "check_plan plan",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str):
    if name in _HOME_OF:
        return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    if find_spec(f"{__name__}.{name}"):  # a module that a page uses as a whole
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
