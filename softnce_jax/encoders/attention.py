"""Self-attention, operation by operation or by cuDNN's fused kernel where nothing is dropped."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float

__all__ = ["attend", "attention_bias", "fits_kernel", "without_kernel"]

KERNEL_DTYPES = (jnp.bfloat16, jnp.float16)
MAX_HEAD_SIZE = 128  # that the kernel takes, on every GPU that has it
TOLERANCE = 0.02  # of the largest number: a few roundings of bfloat16


def attention_bias(
    mask: Bool[Array, "R L"] | Bool[Array, "R L L"], dtype: jnp.dtype
) -> Float[Array, "R 1 _ L"]:
    """0 where the mask is true, the lowest finite number elsewhere.

    Finite, so that a position that attends to nothing gets uniform weights instead of NaN.

    Args:
      mask: (R, L) or (R, L, L).
      dtype: of the scores it is added to.

    Returns:
      Bias (R, 1, 1, L) or (R, 1, L, L), equal for every head.

    Raises:
      ValueError: the mask has neither 2 nor 3 dimensions.

    Example:
      >>> attention_bias(jnp.array([[True, False]]), jnp.float32).shape
      (1, 1, 1, 2)
    """
    if mask.ndim not in (2, 3):
        raise ValueError(f"mask must be (R, L) or (R, L, L), got {mask.ndim} dimensions")
    mask = mask[:, None, None, :] if mask.ndim == 2 else mask[:, None]
    return jnp.where(mask, 0.0, jnp.finfo(dtype).min).astype(dtype)


def attend(
    query: Float[Array, "R L H D"],
    key: Float[Array, "R L H D"],
    value: Float[Array, "R L H D"],
    bias_R1LL: Float[Array, "R 1 _ L"],
    drop: Callable | None = None,
) -> Float[Array, "R L H D"]:
    """softmax(q·k / √D + bias) v; the softmax is in float32.

    In half precision without `drop`, an NVIDIA GPU runs cuDNN's kernel, which never stores the
    (R, H, L, L) weights. A warning says if the kernel is not there or gives other numbers.

    Args:
      query: of every head.
      key: of every head.
      value: of every head.
      bias_R1LL: float32, from `attention_bias`.
      drop: drops some of the weights (R, H, L, L); None to drop none.

    Returns:
      (R, L, H, D), in the dtype of the values.

    Example:
      >>> x, bias = jnp.eye(2)[None, :, None], attention_bias(jnp.array([[True, False]]), "float32")
      >>> attend(x, x, x, bias)[0, :, 0].tolist()
      [[1.0, 0.0], [1.0, 0.0]]
    """
    given = (query, key, value, bias_R1LL)
    if drop is not None:
        return _reference(*given, drop)
    _, length, _, size = query.shape
    if not fits_kernel(query.dtype, length, size) or not _kernel_works(query.dtype.name, size):
        return _reference(*given)
    return jax.lax.platform_dependent(*given, cuda=_fused, default=_reference)


def _reference(query, key, value, bias_R1LL, drop=None):
    """`attend`, operation by operation."""
    query = query / jnp.sqrt(query.shape[-1]).astype(query.dtype)
    scores_RHLL = jnp.einsum("rqhd,rkhd->rhqk", query, key, preferred_element_type=bias_R1LL.dtype)
    weights_RHLL = jax.nn.softmax(scores_RHLL + bias_R1LL).astype(value.dtype)
    if drop is not None:
        weights_RHLL = drop(weights_RHLL)
    return jnp.einsum("rhqk,rkhd->rqhd", weights_RHLL, value)


def _fused(query, key, value, bias_R1LL, implementation: str = "cudnn"):
    """`attend` without `drop`, in one kernel."""
    rows, length = query.shape[:2]
    # As a mask, because the bias, float32's lowest number, would be infinite in half precision.
    mask_R1LL = jnp.broadcast_to(bias_R1LL == 0, (rows, 1, length, length))
    return jax.nn.dot_product_attention(
        query, key, value, mask=mask_R1LL, implementation=implementation
    )


def fits_kernel(dtype: jnp.dtype, length: int, size: int) -> bool:
    """Whether the kernel takes rows of a length and heads of a size, in numbers of a type.

    Example:
      >>> fits_kernel(jnp.dtype("bfloat16"), 256, 64), fits_kernel(jnp.dtype("float32"), 256, 64)
      (True, False)
    """
    return dtype in KERNEL_DTYPES and length % 2 == 0 and size % 8 == 0 and size <= MAX_HEAD_SIZE


@contextlib.contextmanager
def without_kernel() -> Iterator[None]:
    """Programs that are traced inside are for devices that are not here: no kernel is tried.

    Without it the choice would be that of this machine's devices.

    Example:
      >>> with without_kernel():
      ...     x = jnp.ones((1, 2, 1, 8), jnp.bfloat16)
      ...     attend(x, x, x, jnp.zeros((1, 1, 1, 2))).shape
      (1, 2, 1, 8)
    """
    token = _not_here.set(True)
    try:
        yield
    finally:
        _not_here.reset(token)


_not_here: ContextVar[bool] = ContextVar("not_here", default=False)


def _kernel_works(dtype: str, size: int) -> bool:
    return not _not_here.get() and _works_here(dtype, size)


@cache
def _works_here(dtype: str, size: int) -> bool:
    """Whether this process has a CUDA GPU whose kernel agrees with `_reference`; tried once."""
    try:
        device = jax.local_devices(backend="cuda")[0]
    except RuntimeError:
        return False
    with jax.ensure_compile_time_eval(), jax.default_device(device):
        return _agrees(_fused, dtype, size)


def _agrees(kernel: Callable, dtype: str, size: int) -> bool:
    """Whether a kernel gives the values and gradients of `_reference`; warns if it does not.

    Tried on two rows: one of two texts, and one of a text beside padding.
    """
    shape = (2, 64, 2, size)
    query, key, value, weight = (
        jax.random.normal(key, shape, dtype) for key in jax.random.split(jax.random.key(0), 4)
    )
    text_RL = jnp.array([[0] * 40 + [1] * 24, [0] * 50 + [-1] * 14])
    weight *= (text_RL >= 0)[..., None, None]  # the output at padding is not compared
    bias = attention_bias(
        (text_RL[:, :, None] == text_RL[:, None]) & (text_RL[:, None] >= 0), jnp.float32
    )

    def with_gradients(attention):
        def total(*qkv):
            mixed = attention(*qkv, bias)
            return jnp.sum(mixed.astype(jnp.float32) * weight), mixed

        value_and_grad = jax.value_and_grad(total, (0, 1, 2), has_aux=True)
        (_, mixed), gradients = value_and_grad(query, key, value)
        return [np.asarray(x, np.float32) for x in (mixed, *gradients)]

    try:
        for actual, expected in zip(
            with_gradients(kernel), with_gradients(_reference), strict=True
        ):
            error = np.abs(actual - expected).max() / np.abs(expected).max()  # jnp's max skips NaN
            if not error <= TOLERANCE:  # true for NaN, too
                raise ValueError(f"its numbers are off by {error:.3g} of the largest")
    except Exception as error:  # of any class, as for a missing library or an unsupported GPU
        warnings.warn(f"cuDNN's attention kernel is not used: {error}", stacklevel=2)
        return False
    return True
