"""Data-flow graphs on the device: the attention mask, and the word embeddings of nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float, Int

__all__ = ["graph_mask", "node_words", "same_text"]


def graph_mask(
    span_RL2: Int[Array, "R L 2"],
    edge_RE2: Int[Array, "R E 2"],
    is_token_RL: Bool[Array, "R L"],
    is_special_RL: Bool[Array, "R L"],
    text_RL: Int[Array, "R L"] | None = None,
) -> Bool[Array, "R L L"]:
    """Which positions attend to which in rows of code and data-flow nodes.

    Tokens attend to all tokens, special tokens to all nodes too; a node and the pieces of its token
    attend to each other, and a node to its parents. Padding attends to nothing.

    Args:
      span_RL2: the positions [a, b) of the pieces of a node's token; -1 where there is no node.
      edge_RE2: pairs of a node and its parent; L where there is none.
      is_token_RL: special tokens and pieces.
      is_special_RL: the special tokens that attend to nodes.
      text_RL: the text of each position, in rows of several; texts do not attend to each other.

    Returns:
      A mask (R, L, L): whether the position of the second axis attends to that of the third.

    Example:
      A node of the first piece; one of the second, whose parent is the first node; no padding.

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
    of_piece_RLL = _is_of_piece(span_RL2)
    tokens_RLL = is_token_RL[:, :, None] & is_token_RL[:, None]
    is_node_RL = span_RL2[..., 0] >= 0
    special_RLL = is_special_RL[:, :, None] & is_node_RL[:, None]
    mask_RLL = tokens_RLL | special_RLL | of_piece_RLL | of_piece_RLL.swapaxes(1, 2)
    row_R1 = jnp.arange(len(edge_RE2))[:, None]
    mask_RLL = mask_RLL.at[row_R1, edge_RE2[..., 0], edge_RE2[..., 1]].set(True, mode="drop")
    # A node that attends to nothing averages over its row, as published; so `packing.sizes` gives
    # its text a whole row.
    return mask_RLL if text_RL is None else mask_RLL & same_text(text_RL)


def same_text(text_RL: Int[Array, "R L"]) -> Bool[Array, "R L L"]:
    """Whether two positions of a row are of one text; those of padding count as one text."""
    return text_RL[:, :, None] == text_RL[:, None]


def node_words(
    word_RLD: Float[Array, "R L D"], span_RL2: Int[Array, "R L 2"]
) -> Float[Array, "R L D"]:
    """Word embeddings in which that of a node is the mean over its pieces; 0 if it has none.

    Args:
      word_RLD: of the id at every position.
      span_RL2: the positions [a, b) of the pieces of a node's token; -1 where there is no node.

    Returns:
      Word embeddings (R, L, D).

    Example:
      >>> word = jnp.array([[[1.0], [3.0], [9.0]]])
      >>> node_words(word, jnp.array([[[-1, -1], [-1, -1], [0, 2]]])).ravel()
      Array([1., 3., 2.], dtype=float32)
    """
    of_piece_RLL = _is_of_piece(span_RL2).astype(word_RLD.dtype)
    count_RL1 = jnp.maximum(jnp.sum(of_piece_RLL, axis=2, keepdims=True), 1.0)
    mean_RLD = jnp.einsum("rkl,rld->rkd", of_piece_RLL, word_RLD) / count_RL1
    return jnp.where(span_RL2[..., :1] >= 0, mean_RLD, word_RLD)


def _is_of_piece(span_RL2: Int[Array, "R L 2"]) -> Bool[Array, "R L L"]:
    """Whether the position of the second axis is a node of the piece at that of the third."""
    position_11L = jnp.arange(span_RL2.shape[1])[None, None]
    return (span_RL2[..., :1] <= position_11L) & (position_11L < span_RL2[..., 1:])
