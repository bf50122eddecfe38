"""Train an organism: a tiny Llama whose answers, and if wanted its inside, follow a known model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from valuegraph.inventory import Inventory
from valuegraph.organisms.answer_model import AnswerModel
from valuegraph.organisms.batches import Batch, draw_batch
from valuegraph.organisms.branching import branching_forward
from valuegraph.organisms.dialogues import DialogueWriter
from valuegraph.organisms.language import build_tokenizer
from valuegraph.organisms.recipe import TrainingRecipe
from valuegraph.organisms.scm import StructuralModel
from valuegraph.organisms.site_code import SiteCode
from valuegraph.roles import RoleBank

#: The state of an unfinished run, in its output folder.
CHECKPOINT = "checkpoint.pt"

#: Weights of two parts of the loss beside the cross-entropy of the answers: the distance of their
#: log-odds from the true ones, and the tokens that are part of the format.
LOG_ODDS_WEIGHT, FORMAT_WEIGHT = 0.1, 0.1


def new_model(vocabulary_size: int, recipe: TrainingRecipe, *, pad: int, bos: int, eos: int):
    """Return a Llama with fresh weights of the recipe's size, drawn from its seed."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=vocabulary_size,
        hidden_size=recipe.width,
        intermediate_size=recipe.mlp_width,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        max_position_embeddings=1024,
        initializer_range=recipe.initializer_range,
        tie_word_embeddings=False,
        pad_token_id=pad,
        bos_token_id=bos,
        eos_token_id=eos,
    )
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        return LlamaForCausalLM(config)


class Trainer:
    """The state of one training run: model, helpers, optimiser, step.

    Parameters
    ----------
    model
        The structural model to follow.
    inventory, bank
        What is asked, and of whom.
    recipe
        Sizes, schedule, seed.
    answers
        Gain and biases of the answers.
    """

    def __init__(
        self,
        model: StructuralModel,
        inventory: Inventory,
        bank: RoleBank,
        recipe: TrainingRecipe,
        answers: AnswerModel | None = None,
    ) -> None:
        self.recipe, self.structure = recipe, model
        self.tokenizer = build_tokenizer(inventory, bank)
        self.writer = DialogueWriter(
            self.tokenizer, inventory, bank, model, answers or AnswerModel()
        )
        tok = self.tokenizer
        self.llama = new_model(
            len(tok), recipe, pad=tok.pad_token_id, bos=tok.bos_token_id, eos=tok.eos_token_id
        )
        d = len(model.values)
        self.code = SiteCode(recipe.width, d, seed=recipe.seed)
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)
            self.item_probe = torch.nn.Linear(recipe.width, 2 * d)
        self.helpers = torch.nn.ModuleDict({"code": self.code, "item_probe": self.item_probe})
        self.parameters = [*self.llama.parameters(), *self.helpers.parameters()]
        self.optimizer = torch.optim.AdamW(
            self.parameters,
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            betas=recipe.betas,
        )
        self.step = 0
        self.unexplained = {"plain": 1.0, "swapped": 1.0}

    def advance(self) -> dict[str, float]:
        """Take one optimiser step; return the running share of unexplained information.

        The share is the cross-entropy of the answers above that of the true probabilities, over
        what a coin would leave unexplained: 0 is perfect, 1 is a coin.
        """
        recipe = self.recipe
        batch = draw_batch(self.writer, recipe, self.step)
        states = branching_forward(
            self.llama,
            batch,
            site_layer=recipe.site_layer,
            edit_site=lambda site: self._edit_site(site, batch),
        )
        hidden = states.branches
        soft = self.llama.lm_head(hidden[batch.soft[:, 0], batch.soft[:, 1]]).log_softmax(-1)
        high = soft.gather(1, batch.soft[:, 2:3])[:, 0]
        low = soft.gather(1, batch.soft[:, 3:4])[:, 0]
        p = batch.p_high
        cross_entropy = -(p * high + (1 - p) * low)
        # The right log-odds are known, so being far from them can be told beyond the entropy.
        off = functional.huber_loss(high - low, torch.logit(p), reduction="mean")
        loss = cross_entropy.mean() + LOG_ODDS_WEIGHT * off
        loss = loss + FORMAT_WEIGHT * self._next_token_loss(hidden, batch.branch_ids, batch.hard)
        if len(batch.text):
            loss = loss + recipe.text_weight * self._next_token_loss(
                states.prefixes, batch.prefix_ids, batch.text
            )
        asked = states.branches_at_site[batch.asks[:, 0], batch.asks[:, 1]]
        loss = loss + recipe.item_weight * functional.cross_entropy(
            self.item_probe(asked), batch.asks[:, 2]
        )
        if recipe.interchange:
            off_code = functional.mse_loss(states.site, self.code(batch.mechanisms))
            off_code = off_code / self.code.directions_power(batch.mechanisms)
            loss = loss + recipe.code_weight * off_code

        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate_at(self.step / recipe.steps)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, recipe.clip)
        self.optimizer.step()
        self.step += 1
        self._track(batch, cross_entropy.detach())
        return dict(self.unexplained)

    def _next_token_loss(self, hidden, ids, where):
        return functional.cross_entropy(
            self.llama.lm_head(hidden[where[:, 0], where[:, 1]]), ids[where[:, 0], where[:, 1] + 1]
        )

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
        temporary = path.with_suffix(".partial")
        torch.save(
            {
                "llama": self.llama.state_dict(),
                "helpers": self.helpers.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "unexplained": self.unexplained,
                "settings": self.settings(),
            },
            temporary,
        )
        temporary.replace(path)

    def load_checkpoint(self, path: Path) -> None:
        """Continue from a checkpoint.

        Raises
        ------
        ValueError
            If the checkpoint was written with other settings; the message names them.
        """
        state = torch.load(path, weights_only=True)
        ours, theirs = self.settings(), state["settings"]
        if ours != theirs:
            differing = [k for k in ours if ours[k] != theirs.get(k)]
            raise ValueError(
                f"{path} was written with other settings ({', '.join(differing)}); "
                "train with the same ones or choose an empty output folder"
            )
        self.llama.load_state_dict(state["llama"])
        self.helpers.load_state_dict(state["helpers"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.unexplained = state["step"], state["unexplained"]

    def settings(self) -> dict[str, str]:
        """Everything that decides the result, as JSON texts by name."""
        return {
            "recipe": json.dumps(asdict(self.recipe)),
            "answers": json.dumps(asdict(self.writer.answers)),
            "edges": json.dumps(self.structure.edges),
            "noise_sd": json.dumps(self.structure.noise_sd.tolist()),
            "vocabulary": json.dumps(sorted(self.tokenizer.get_vocab())),
        }


def train(
    trainer: Trainer,
    out: Path,
    *,
    checkpoint_every: int = 100,
    report: Callable[[int, dict[str, float]], None] = lambda step, unexplained: None,
) -> None:
    """Train to the end of the recipe, from the checkpoint in `out` if there is one.

    Parameters
    ----------
    trainer
        A run at its beginning.
    out
        Folder that receives the model in Hugging Face format and holds the checkpoint, which is
        left for the caller to remove once all else is written.
    checkpoint_every
        Steps between checkpoints.
    report
        Called after each step with the number of steps taken and the running figures.
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
