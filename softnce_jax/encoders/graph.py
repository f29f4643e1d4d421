"""Data-flow graphs on the device: who sees whom, and what a node's word embedding is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float, Int


def graph_mask(
    span_RL2: Int[Array, "R L 2"],
    edge_RE2: Int[Array, "R E 2"],
    is_token_RL: Bool[Array, "R L"],
    is_special_RL: Bool[Array, "R L"],
    text_RL: Int[Array, "R L"] | None = None,
) -> Bool[Array, "R L L"]:
    """Who sees whom in rows of code and data-flow nodes.

    Tokens see one another; special tokens see the nodes too; a node and the pieces it stands for
    see each other; a node sees its parents. Padding sees nothing and is not seen.

    Args:
      span_RL2: the pieces [a, b) that a node stands for; -1 where no node stands.
      edge_RE2: pairs of a node and its parent; L where there is none.
      is_token_RL: special tokens and pieces.
      is_special_RL: the special tokens that see nodes.
      text_RL: which text each place belongs to, in rows of several, which see nothing of each
        other.

    Returns:
      A mask (R, L, L): whether the place of the second axis sees that of the third.

    Example:
      A node of the first piece, one of the second that is the first one's child, no padding.

      >>> none = [-1, -1]
      >>> span = jnp.array([[none, none, none, none, [1, 2], [2, 3]]])
      >>> token = jnp.array([[1, 1, 1, 1, 0, 0]]) == 1
      >>> special = jnp.array([[1, 0, 0, 1, 0, 0]]) == 1
      >>> graph_mask(span, jnp.array([[[5, 4], [6, 6]]]), token, special)[0].astype(int)
      Array([[1, 1, 1, 1, 1, 1],
             [1, 1, 1, 1, 1, 0],
             [1, 1, 1, 1, 0, 1],
             [1, 1, 1, 1, 1, 1],
             [0, 1, 0, 0, 0, 0],
             [0, 0, 1, 0, 1, 0]], dtype=int32)

    The graph-guided mask of Guo et al., "GraphCodeBERT", ICLR 2021, Section 4.3.
    """
    stands_RLL = stands_for(span_RL2)
    tokens_RLL = is_token_RL[:, :, None] & is_token_RL[:, None]
    is_node_RL = span_RL2[..., 0] >= 0
    special_RLL = is_special_RL[:, :, None] & is_node_RL[:, None]
    mask_RLL = tokens_RLL | special_RLL | stands_RLL | stands_RLL.swapaxes(1, 2)
    row_R1 = jnp.arange(len(edge_RE2))[:, None]
    mask_RLL = mask_RLL.at[row_R1, edge_RE2[..., 0], edge_RE2[..., 1]].set(True, mode="drop")
    # A node that sees nothing averages over its row, as published: its text has a row for itself.
    return mask_RLL if text_RL is None else mask_RLL & same_text(text_RL)


def same_text(text_RL: Int[Array, "R L"]) -> Bool[Array, "R L L"]:
    """Whether two places of a row belong to one text; those of no text to one another."""
    return text_RL[:, :, None] == text_RL[:, None]


def node_words(
    word_RLD: Float[Array, "R L D"], span_RL2: Int[Array, "R L 2"]
) -> Float[Array, "R L D"]:
    """Word embeddings in which a node's is the mean over its pieces; 0 where it has none.

    Args:
      word_RLD: of every place's id.
      span_RL2: the pieces [a, b) that a node stands for; -1 where no node stands.

    Returns:
      Word embeddings (R, L, D).

    Example:
      >>> word = jnp.array([[[1.0], [3.0], [9.0]]])
      >>> node_words(word, jnp.array([[[-1, -1], [-1, -1], [0, 2]]])).ravel()
      Array([1., 3., 2.], dtype=float32)
    """
    stands_RLL = stands_for(span_RL2).astype(word_RLD.dtype)
    count_RL1 = jnp.maximum(jnp.sum(stands_RLL, axis=2, keepdims=True), 1.0)
    mean_RLD = jnp.einsum("rkl,rld->rkd", stands_RLL, word_RLD) / count_RL1
    return jnp.where(span_RL2[..., :1] >= 0, mean_RLD, word_RLD)


def stands_for(span_RL2: Int[Array, "R L 2"]) -> Bool[Array, "R L L"]:
    """Whether the place of the second axis is a node of the piece of the third."""
    place_L = jnp.arange(span_RL2.shape[1])[None, None]
    return (span_RL2[..., :1] <= place_L) & (place_L < span_RL2[..., 1:])
