"""The training objective: from a batch's vectors and features to the loss that flags chose.

Which pairs count and how similar they are is computed for some rows against all candidates, so the
dense form, the blocks of the block-wise form and the diagnostics share one implementation.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from softnce_jax import registry
from softnce_jax._scores import distinct_pairs
from softnce_jax.blockwise import BLOCK_PAIRS, blockwise_soft_infonce
from softnce_jax.errors import InputError, first_line
from softnce_jax.train.batches import Batch
from softnce_jax.train.config import Config

if TYPE_CHECKING:
    from jax.extend.core import Jaxpr

# Above this number of pairs, rows x candidates, InfoNCE and Soft-InfoNCE go block by block. Up to
# one block, 2,048 x 2,048, both forms are the same work: times within 2 %, the same memory. At
# 4,096 x 4,096 the block-wise one takes 0.8 to 0.9 of the time and a third of the memory (CPU, D
# 128 and 768).
DENSE_PAIRS = BLOCK_PAIRS
# Above this one, 32,768 x 32,768, a loss without a block-wise form is refused: its matrices would
# take 12 bytes a pair, 13 GB, and on a CPU the program would be killed without a word.
MAX_DENSE_PAIRS = 2**30


class QueryRows(NamedTuple):
    """What query rows bring along beside their vectors: all B rows of a batch, or R of them."""

    positive: jax.Array  # (R,) int32, the column of each row's positive
    features: jax.Array | None  # (R, F)
    keys: jax.Array | None  # (R,) int32, equal where the query texts are


def check_loss(config: Config, dimensions: int) -> None:
    """Raises InputError where a user's loss does not return the scalar that training takes.

    Nor may it ignore a scale that is to be learned. It is traced, not computed.

    Args:
      config: settled.
      dimensions: D of the vectors.
    """
    if config.loss in registry.LOSSES:
        return
    row = registry.loss(config.loss)
    rows = config.batch_size
    columns = rows * (1 + (config.negatives_per_query or 0))
    float_of = lambda *shape: jax.ShapeDtypeStruct(shape, jnp.float32)
    given = [float_of(rows, dimensions), float_of(columns, dimensions)]
    if row.target is not None:
        given.append(float_of(rows, columns))
    masked = config.negatives is not None or config.duplicates != "keep"
    where = jax.ShapeDtypeStruct((rows, columns), bool) if masked else None

    def traced(scale, *given, where):
        returned = registry.resolve(row.function)(
            *given, positive=positives(rows, columns), where=where, scale=scale
        )
        if not isinstance(returned, jax.Array | np.ndarray | np.generic | float):
            raise InputError(
                f"--loss {config.loss}: returns {type(returned).__name__}, not a scalar"
            )
        return returned

    if config.scale == "learned":
        _check_reads_scale(config.loss, traced, float_of(), *given, where=where)
    value = jax.eval_shape(functools.partial(traced, 1.0), *given, where=where)
    if value.shape or not jnp.issubdtype(value.dtype, jnp.floating):
        shape = ",".join(map(str, value.shape))
        raise InputError(
            f"--loss {config.loss}: returns {value.dtype}[{shape}], not a scalar of floats"
        )


def _check_reads_scale(name: str, function: Callable, *given: Any, where: Any) -> None:
    """Raises InputError where a user's loss does not depend on its scale, the first argument."""
    try:
        program = jax.make_jaxpr(function)(*given, where=where).jaxpr
    except jax.errors.ConcretizationTypeError as error:
        raise InputError(
            f"--scale learned: --loss {name} takes its scale as a number alone, and a learned one "
            f"is an array ({first_line(error)})"
        ) from error
    if not _reads(program, 0):
        raise InputError(f"--scale learned, but --loss {name} does not read its scale")


def _reads(program: Jaxpr, argument: int) -> bool:
    """Whether the results of a traced function depend on one of its arguments."""
    depending = {id(program.invars[argument])}  # by identity: literals have no hash
    for step in program.eqns:
        inputs = [n for n, x in enumerate(step.invars) if id(x) in depending]
        inner = step.params.get("jaxpr")  # of a function under `jit`: with the same arguments
        if step.primitive.name in ("jit", "pjit"):
            inputs = [n for n in inputs if _reads(inner.jaxpr, n)]
        depending |= {id(x) for x in step.outvars} if inputs else set()
    return any(id(x) in depending for x in program.outvars)


class Objective:
    """The loss of a batch, its settings bound once.

    Args:
      config: names the loss, its settings and the treatment of duplicates.
      scale: multiplies the scores, unless a call gives another.

    Attributes:
      has_weights: whether the loss reads the weights of Eq. 4.
    """

    def __init__(self, config: Config, scale: float):
        row = registry.loss(config.loss)
        self._name = f"--loss {config.loss}" + " --symmetric" * config.symmetric
        arguments = {name: getattr(config, flag) for name, flag in row.arguments.items()}
        if row.symmetric:
            arguments["symmetric"] = config.symmetric
        self._loss = functools.partial(registry.resolve(row.function), **arguments)
        self._target = _target(config, row.target)
        self._weights = {name: getattr(config, name) for name in registry.WEIGHTS}
        self._blockwise = row.blockwise and not config.symmetric
        self._scale, self.has_weights = scale, row.target == "w"
        self._excludes_duplicates = config.duplicates == "exclude"
        self._weights_duplicates = config.duplicates == "weight"

    def __call__(
        self, q_BD: jax.Array, c_ND: jax.Array, batch: Batch, scale: jax.Array | None = None
    ) -> jax.Array:
        """The loss, a scalar; above DENSE_PAIRS block by block where the loss has that form.

        Args:
          q_BD: query vectors.
          c_ND: candidate vectors.
          batch: what else the loss reads.
          scale: a learned one, in which the loss has its gradient.

        Raises:
          InputError: too many pairs for a loss that has no block-wise form.
        """
        scale = self._scale if scale is None else scale
        rows, pairs = query_rows(batch, len(q_BD), len(c_ND)), len(q_BD) * len(c_ND)
        if self._blockwise and pairs > DENSE_PAIRS:
            return self._by_blocks(q_BD, c_ND, batch, rows, scale)
        if pairs > MAX_DENSE_PAIRS:
            raise InputError(
                f"{self._name} of {len(q_BD)} x {len(c_ND)} pairs: its matrices would take "
                f"{12 * pairs / 1e9:.0f} GB; lower --batch-size, or take soft_infonce or infonce "
                "in one direction, which need none"
            )
        given = {"positive": rows.positive, "where": self.valid_pairs(batch, rows)}
        loss = functools.partial(self._loss, **given, scale=scale)
        if self._target is None:
            return loss(q_BD, c_ND)
        similarity_BN = self.similarity(batch, rows)
        return loss(q_BD, c_ND, self._target(similarity_BN, **given))

    def _by_blocks(self, q_BD, c_ND, batch: Batch, rows: QueryRows, scale) -> jax.Array:
        has_masks = batch.query_keys is not None
        return blockwise_soft_infonce(
            q_BD,
            c_ND,
            functools.partial(self.similarity, batch) if self.has_weights else None,
            positive=rows.positive,
            where=functools.partial(self.valid_pairs, batch) if has_masks else None,
            rows=rows,
            scale=scale,
            **(self._weights if self.has_weights else {}),
        )

    def weights(self, batch: Batch, rows: QueryRows) -> tuple[jax.Array, jax.Array]:
        """The similarities (R, N) of rows and the weights made of them, (R, N)."""
        similarity_RN = self.similarity(batch, rows)
        where = self.valid_pairs(batch, rows)
        return similarity_RN, self._target(similarity_RN, positive=rows.positive, where=where)

    def valid_pairs(self, batch: Batch, rows: QueryRows) -> jax.Array | None:
        """Which pairs of the rows count, (R, N): all, as None, or all but duplicates.

        A hard negative that answers the row's query never counts; another pair of the batch that
        does is left out where the configuration excludes duplicates.
        """
        if batch.query_keys is None:
            return None
        distinct_RN = distinct(batch, rows)
        return distinct_RN if self._excludes_duplicates else distinct_RN | in_batch(batch)

    def similarity(self, batch: Batch, rows: QueryRows) -> jax.Array:
        """The estimator's similarity of the rows, (R, N).

            similarity_ij = max_k similarity_ik  where pair j has the query or the code of pair i

        The second only where the configuration weights duplicates: they are as similar as the most
        similar of their row.
        """
        exact = jax.lax.Precision.HIGHEST  # as of the scores
        similarity_RN = jnp.matmul(rows.features, batch.code_features.T, precision=exact)
        if not self._weights_duplicates:
            return similarity_RN
        same_RN = ~distinct(batch, rows) & in_batch(batch)
        return jnp.where(same_RN, jnp.max(similarity_RN, axis=1, keepdims=True), similarity_RN)


def _target(config: Config, name: str | None):
    """What makes the loss's target of a similarity, its settings bound; None for no target."""
    if name is None:
        return None
    row = registry.TARGETS[name]
    if row.function is None:
        return lambda similarity_RN, **_: similarity_RN
    settings = {setting: getattr(config, setting) for setting in row.settings}
    return functools.partial(registry.resolve(row.function), **settings)


def query_rows(batch: Batch, rows: int, columns: int) -> QueryRows:
    """What all rows of a batch bring along."""
    return QueryRows(positives(rows, columns), batch.query_features, batch.query_keys)


def positives(rows: int, columns: int) -> jax.Array:
    """The column of each row's positive, which comes before the row's hard negatives."""
    return jnp.arange(rows, dtype=jnp.int32) * (columns // rows)


def distinct(batch: Batch, rows: QueryRows) -> jax.Array:
    """(R, N), False where a candidate that is not the row's positive answers its query too.

    Of all rows it is what `without_duplicates` gives.
    """
    every_positive_B = positives(len(batch.query_keys), len(batch.code_keys))
    return distinct_pairs(
        rows.keys,
        rows.positive,
        batch.code_keys,
        batch.query_keys,
        every_positive_B,
        batch.answers,
    )


def in_batch(batch: Batch) -> jax.Array:
    """(1, N), True at the pairs of the batch, False at hard negatives."""
    rows, columns = len(batch.query_keys), len(batch.code_keys)
    return (jnp.arange(columns) % (columns // rows) == 0)[None]
