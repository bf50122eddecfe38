"""Train an organism: a tiny Llama whose answers, and if wanted its inside, follow a known model."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from studies.training.batches import Batch, draw_batch
from studies.training.dialogues import DialogueWriter
from studies.training.language import build_tokenizer
from studies.training.network import SiteCode, branching_forward
from studies.training.recipe import ANSWERS, TrainingRecipe
from valuegraph.inventory import Inventory
from valuegraph.organisms import Organism
from valuegraph.roles import RoleBank

#: The state of an unfinished run, in its output folder.
CHECKPOINT = "checkpoint.pt"

#: Weights of two parts of the loss beside the cross-entropy of the answers: the distance of their
#: log-odds from the true ones, and the tokens that are part of the format.
LOG_ODDS_WEIGHT, FORMAT_WEIGHT = 0.1, 0.1


def new_model(tokenizer, recipe: TrainingRecipe):
    """Return a Llama with fresh weights of the recipe's size, drawn from its seed."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.width,
        intermediate_size=recipe.mlp_width,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        max_position_embeddings=1024,
        initializer_range=recipe.initializer_range,
        tie_word_embeddings=False,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        return LlamaForCausalLM(config)


class Trainer:
    """The state of one training run: model, helpers, optimiser, step."""

    def __init__(
        self, organism: Organism, inventory: Inventory, bank: RoleBank, recipe: TrainingRecipe
    ) -> None:
        self.recipe = recipe
        self.tokenizer = tok = build_tokenizer(inventory, bank)
        self.writer = DialogueWriter(tok, inventory, bank, organism)
        self.llama = new_model(tok, recipe)
        d = len(organism.truth.values)
        self.code = SiteCode(recipe.width, d, seed=recipe.seed)
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)
            self.item_probe = torch.nn.Linear(recipe.width, 2 * d)
        self.helpers = torch.nn.ModuleDict({"code": self.code, "item_probe": self.item_probe})
        self.parameters = [*self.llama.parameters(), *self.helpers.parameters()]
        options = {"weight_decay": recipe.weight_decay, "betas": recipe.betas}
        self.optimizer = torch.optim.AdamW(self.parameters, lr=recipe.learning_rate, **options)
        self.step = 0
        self.unexplained = {"plain": 1.0, "swapped": 1.0}

    def advance(self) -> dict[str, float]:
        """Take one optimiser step; return the running share of unexplained information.

        0: the cross-entropy of the answers is that of the true probabilities, 1: that of a coin.
        """
        recipe = self.recipe
        batch = draw_batch(self.writer, recipe, self.step)
        states = branching_forward(
            self.llama, batch, recipe.site_layer, lambda site: self._edit_site(site, batch)
        )
        hidden = states.branches
        soft = self._logits(hidden, batch.soft).log_softmax(-1)
        high, low = soft.gather(1, batch.soft[:, 2:]).T
        p = batch.p_high
        cross_entropy = -(p * high + (1 - p) * low)
        # The right log-odds are known, so their distance teaches more than the entropy alone.
        off = functional.huber_loss(high - low, torch.logit(p), reduction="mean")
        loss = cross_entropy.mean() + LOG_ODDS_WEIGHT * off
        loss = loss + FORMAT_WEIGHT * self._next_token_loss(hidden, batch.branch_ids, batch.hard)
        if len(batch.text):
            off_text = self._next_token_loss(states.prefixes, batch.prefix_ids, batch.text)
            loss = loss + recipe.text_weight * off_text
        begins = states.branches_at_site[batch.items[:, 0], batch.items[:, 1]]
        off_item = functional.cross_entropy(self.item_probe(begins), batch.items[:, 2])
        loss = loss + recipe.item_weight * off_item
        if recipe.interchange:
            off_code = functional.mse_loss(states.site, self.code(batch.mechanisms))
            loss = loss + recipe.code_weight * (off_code / self.code.power(batch.mechanisms))

        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate_at(self.step / recipe.steps)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, recipe.clip)
        self.optimizer.step()
        self.step += 1
        self._track(batch, cross_entropy.detach())
        return dict(self.unexplained)

    def _logits(self, hidden: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
        return self.llama.lm_head(hidden[where[:, 0], where[:, 1]])

    def _next_token_loss(self, hidden, ids, where) -> torch.Tensor:
        following = ids[where[:, 0], where[:, 1] + 1]
        return functional.cross_entropy(self._logits(hidden, where), following)

    def _edit_site(self, site: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Give later layers the right code while they are taught, swapped blocks afterwards."""
        if not self.recipe.interchange:
            return site
        if self.step < self.recipe.taught_until * self.recipe.steps:
            generator = torch.Generator().manual_seed(self.recipe.seed * 1_000_003 + self.step)
            # A little noise, so that they can later do with a site that is nearly right.
            return self.code(batch.acting) + 0.1 * torch.randn(site.shape, generator=generator)
        return self.code.swap(site, batch.swapped)

    def _track(self, batch: Batch, cross_entropy: torch.Tensor) -> None:
        p = batch.p_high.clamp(1e-6, 1 - 1e-6)
        entropy = -(p * p.log() + (1 - p) * (1 - p).log())
        base = batch.soft[:, 0] < len(batch.branch_ids) // 2
        for name, rows in (("swapped", base), ("plain", ~base)):
            share = (cross_entropy - entropy)[rows].sum() / (np.log(2) - entropy)[rows].sum()
            self.unexplained[name] += 0.05 * (float(share) - self.unexplained[name])

    def save_checkpoint(self, path: Path) -> None:
        """Write everything that the next step needs; an interruption never leaves half a file."""
        parts = {name: getattr(self, name).state_dict() for name in _PARTS}
        settings = settings_of(self.writer.organism, self.recipe)
        state = {"step": self.step, "unexplained": self.unexplained, "settings": settings}
        torch.save(parts | state, path.with_suffix(".partial"))
        path.with_suffix(".partial").replace(path)

    def load_checkpoint(self, path: Path) -> None:
        """Continue from a checkpoint; one that was written with other settings is refused."""
        state = torch.load(path, weights_only=True)
        refuse_other(path, settings_of(self.writer.organism, self.recipe), state["settings"])
        for name in _PARTS:
            getattr(self, name).load_state_dict(state[name])
        self.step, self.unexplained = state["step"], state["unexplained"]


#: What a checkpoint holds of a trainer.
_PARTS = ("llama", "helpers", "optimizer")


def settings_of(organism: Organism, recipe: TrainingRecipe) -> dict[str, str]:
    """Everything that decides what an organism becomes, as JSON texts by name."""
    settings = {
        "recipe": asdict(recipe),
        "answers": [getattr(organism, name) for name in ANSWERS],
        # Saved structures have six decimals.
        "edges": [(a, b, round(weight, 6)) for a, b, weight in organism.truth.edges],
        "noise_sd": organism.truth.noise_sd.round(6).tolist(),
        "facts": organism.truth.facts,
    }
    return {name: json.dumps(setting) for name, setting in settings.items()}


def refuse_other(path: Path, ours: dict[str, str], theirs: dict[str, str]) -> None:
    """Refuse what was made with other settings, which are named."""
    differing = [name for name in ours if ours[name] != theirs.get(name)]
    if differing:
        other = f"{path} was written with other settings ({', '.join(differing)})"
        raise ValueError(f"{other}; train with the same ones, or choose an empty folder")


def train(
    trainer: Trainer,
    out: Path,
    *,
    checkpoint_every: int = 100,
    report: Callable[[int, dict[str, float]], None] = lambda step, unexplained: None,
) -> None:
    """Train to the end of the recipe, from the checkpoint in the folder `out` if there is one.

    The folder receives the model in Hugging Face format; the checkpoint is left for the caller to
    remove once all else is written. `report` gets the number of steps and the running figures.
    """
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / CHECKPOINT
    if checkpoint.exists():
        trainer.load_checkpoint(checkpoint)
    while trainer.step < trainer.recipe.steps:
        unexplained = trainer.advance()
        report(trainer.step, unexplained)
        if trainer.step % checkpoint_every == 0 or trainer.step == trainer.recipe.steps:
            trainer.save_checkpoint(checkpoint)
    trainer.llama.save_pretrained(out)
    trainer.tokenizer.save_pretrained(out)
