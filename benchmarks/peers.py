"""Other people's training steps of the same network: transformers' Flax, PyTorch's, and
sentence-transformers'. Mean pooling, cosine times 20, AdamW after clipping to a norm of 1.
"""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import multiprocessing
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from transformers import FlaxRobertaModel, RobertaConfig

from softnce_jax import infonce
from softnce_jax._scores import unit_length
from softnce_jax.train.state import TrainState

RATE, CLIP, SCALE = 2e-5, 1.0, 20.0

Sides = tuple[np.ndarray, np.ndarray]  # padded ids of queries and codes


class Step(NamedTuple):
    """A kind of step: runs batch n; what compiling cost, seconds and MB of each program."""

    run: Callable[[int], Any]
    programs: list[tuple[float, float]]


class StockFlax:
    """transformers' FlaxRobertaModel on padded rows, with its own dropout."""

    def __init__(self, config: RobertaConfig, attention_rate: float, generator: str | None = None):
        config = RobertaConfig.from_dict(config.to_dict())
        config.attention_probs_dropout_prob = attention_rate
        self._model = FlaxRobertaModel(config, _do_init=False)
        self._generator = generator

    def step(self, tx: optax.GradientTransformation) -> Callable:
        """The jitted step from a state and padded ids of queries and codes, as of ours."""

        def loss_of(params, sides, key):
            keys = jax.random.split(key)
            q_BD, c_BD = (self.embed(params, *side) for side in zip(sides, keys, strict=True))
            return infonce(q_BD, c_BD, scale=SCALE)

        def step(state: TrainState, sides: Sides) -> tuple[TrainState, dict]:
            key = jax.random.fold_in(jax.random.key(0), state.step)
            value, gradients = jax.value_and_grad(loss_of)(state.params, sides, key)
            updates, opt_state = tx.update(gradients, state.opt_state, state.params)
            params = optax.apply_updates(state.params, updates)
            metrics = {"loss": value, "grad_norm": optax.tree.norm(gradients)}
            return TrainState(state.step + 1, params, opt_state), metrics

        return jax.jit(step, donate_argnums=0)

    def embed(self, params: Any, ids_RL: jax.Array, key: jax.Array) -> jax.Array:
        """Mean-pooled unit vectors of padded rows."""
        mask_RL = ids_RL != self._model.config.pad_token_id
        if self._generator is not None:
            bits = jnp.tile(jax.random.key_data(key), 2)
            key = jax.random.wrap_key_data(bits, impl=self._generator)
        out = self._model(ids_RL, mask_RL, params=params, dropout_rng=key, train=True)
        mask_RL1 = mask_RL[..., None].astype(jnp.float32)
        sum_RD = jnp.sum(out.last_hidden_state * mask_RL1, axis=1)
        return unit_length(sum_RD / jnp.sum(mask_RL1, axis=1))


class Torch:
    """PyTorch's RobertaModel with scaled_dot_product_attention and the fused AdamW."""

    def __init__(self, config: RobertaConfig):
        import torch
        from transformers import RobertaModel

        self._torch, self._pad = torch, config.pad_token_id
        torch.manual_seed(0)
        self.model = RobertaModel._from_config(
            config, add_pooling_layer=False, attn_implementation="sdpa"
        )
        self.model.train()
        self._tx = torch.optim.AdamW(
            self.model.parameters(), lr=RATE, eps=1e-8, weight_decay=0.0, fused=True
        )

    def arrays(self, ids_RL: np.ndarray, *, dynamic: bool) -> dict[str, Any]:
        """Ids and mask, cut to the longest text where `dynamic`."""
        if dynamic:
            ids_RL = ids_RL[:, : (ids_RL != self._pad).sum(axis=1).max()]
        ids = self._torch.from_numpy(ids_RL.astype(np.int64))
        return {"input_ids": ids, "attention_mask": (ids != self._pad).long()}

    def set_attention_dropout(self, rate: float) -> None:
        """SDPA reads the probability of `dropout` in every layer's attention."""
        for layer in self.model.encoder.layer:
            layer.attention.self.dropout.p = layer.attention.self.dropout_prob = rate

    def loss(self, sides: list[dict[str, Any]]) -> Any:
        """InfoNCE of queries and codes."""
        torch = self._torch
        vectors = []
        for side in sides:
            states_RLD = self.model(**side).last_hidden_state
            mask_RL1 = side["attention_mask"][:, :, None].to(states_RLD.dtype)
            sum_RD = (states_RLD * mask_RL1).sum(1)
            vectors.append(torch.nn.functional.normalize(sum_RD / mask_RL1.sum(1), dim=1))
        scores_BB = SCALE * vectors[0] @ vectors[1].T
        return torch.nn.functional.cross_entropy(scores_BB, torch.arange(len(scores_BB)))

    def update(self, loss: Callable[[], Any]) -> float:
        """One step; returns the loss."""
        self._tx.zero_grad(set_to_none=True)
        value = loss()
        value.backward()
        self._torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self._tx.step()
        return value.item()

    def drop_gradients(self) -> None:
        """Leaves parameters and moments alone."""
        self._tx.zero_grad(set_to_none=True)


def sentence_loss(network: Torch, tokenizer: Any) -> Callable[[list[dict[str, Any]]], Any]:
    """MultipleNegativesRankingLoss over the same PyTorch network."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    with tempfile.TemporaryDirectory() as folder:
        small = type(network.model.config).from_dict(network.model.config.to_dict())
        small.num_hidden_layers = 1
        type(network.model)(small).save_pretrained(folder)
        tokenizer.fast.save_pretrained(Path(folder))
        words = Transformer(folder)
    words.model = network.model
    sizes = network.model.config.hidden_size
    model = SentenceTransformer(modules=[words, Pooling(sizes, "mean")], device="cpu")
    model.train()
    loss = MultipleNegativesRankingLoss(model, scale=SCALE)
    return lambda sides: loss([dict(side) for side in sides], None)


def has_sentence() -> bool:
    """Whether sentence-transformers is there; says so where it is not."""
    there = importlib.util.find_spec("sentence_transformers") is not None
    if not there:
        print("sentence-transformers is left out: it is not installed")
    return there


def torch_steps(
    config: RobertaConfig,
    tokenizer: Any,
    batches: list[Sides],
    chosen: Callable[[str], bool],
    network: Torch | None = None,
) -> dict[str, Step]:
    """PyTorch's, and sentence-transformers' where it is installed."""
    kinds = [
        (f"{who}, {kind}", who, rate)
        for who in ("PyTorch padded", "PyTorch dynamic", "sentence-transformers")
        for kind, rate in (("elementwise", 0.1), ("off", 0.0))
        if chosen(f"{who}, {kind}") and (who != "sentence-transformers" or has_sentence())
    ]
    network = network or (Torch(config) if kinds else None)
    return {name: torch_step(network, tokenizer, batches, who, rate) for name, who, rate in kinds}


def torch_step(network: Torch, tokenizer: Any, batches: list[Sides], who: str, rate: float) -> Step:
    """A step of one kind with that rate of attention dropout."""
    loss = sentence_loss(network, tokenizer) if who == "sentence-transformers" else network.loss
    dynamic = who != "PyTorch padded"
    made = [[network.arrays(ids_RL, dynamic=dynamic) for ids_RL in sides] for sides in batches]

    def run(n: int) -> None:
        network.set_attention_dropout(rate)
        network.update(lambda: loss(made[n]))

    return Step(run, [])


def torch_memory(name: str, config: RobertaConfig, tokenizer: Any, sides: Sides) -> float:
    """What a step takes beside parameters and moments, MB, gradients included.

    In a process of its own, after a step on two pairs, which makes the moments: the resident set
    is sampled a thousand times a second during one step.
    """
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=_torch_peak, args=(name, config, tokenizer, sides, answer))
    process.start()
    megabytes = answer.get(timeout=600)
    process.join()
    return megabytes


def _torch_peak(name, config, tokenizer, sides, answer) -> None:
    batches = [tuple(ids_RL[:2] for ids_RL in sides), sides]
    network = Torch(config)
    step = torch_steps(config, tokenizer, batches, name.__eq__, network)[name]
    step.run(0)
    network.drop_gradients()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    before, peak, done = resident(), [0.0], threading.Event()

    def sample() -> None:
        while not done.wait(0.001):
            peak[0] = max(peak[0], resident())

    sampler = threading.Thread(target=sample)
    sampler.start()
    step.run(1)
    done.set()
    sampler.join()
    answer.put(peak[0] - before)


def resident() -> float:
    """MB of this process in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
