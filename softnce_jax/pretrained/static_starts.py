"""Where a static encoder starts from: the words of training texts, or a transformer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from tokenizers import Tokenizer as Backend

from softnce_jax.encoders.embed import Embedder
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.static import BagTokenizer, Table
from softnce_jax.encoders.static_encoder import StaticEncoder
from softnce_jax.errors import InputError, check_texts
from softnce_jax.mesh import devices, make_mesh, put_global, replicated
from softnce_jax.pretrained.tiny import SPECIAL_TOKENS, train_tokenizer

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["distill", "static_from_texts"]

COUNTED_AT_ONCE = 1024  # texts
SIF = 1e-4  # a of Eq. 3 of Arora et al.: tokens more frequent than this weigh less than a half
SMALLEST = 1e-3  # importance, of tokens in no text or in all of them


def static_from_texts(
    texts: Iterable[str], *, key: jax.Array, vocab_size: int = 16384, dimensions: int = 512
) -> tuple[StaticEncoder, dict[str, Any]]:
    """A static encoder with a tokenizer of its own, before training.

    It starts as a lexical matcher: each token has a random direction, and a weight that is the
    larger the fewer texts it is in, so vectors are near where texts share rare words. Training then
    moves tokens that mean the same together. There are more tokens than dimensions, so directions
    cannot all be orthogonal; those of tokens that are in many texts are nearest to that.

        w_v = log( (1 + M) / (1 + m_v) )  of a token in m_v of M texts

    Args:
      texts: questions and functions of the training split.
      key: of the directions; the same texts and key give the same parameters.
      vocab_size: maximum tokens.
      dimensions: D.

    Returns:
      The StaticEncoder and its parameters.

    Example:
      >>> encoder, params = static_from_texts(["add a", "add b"], key=jax.random.key(0))
      >>> params["embeddings"].shape == (encoder.tokenizer.vocab_size, 512)
      True
    """
    check_texts(texts, "texts")
    texts = list(texts)
    fast = train_tokenizer(texts, vocab_size)
    tokenizer = BagTokenizer(fast.backend_tokenizer)
    count_V = _texts_with(texts, tokenizer)
    weight_V = np.log((1 + len(texts)) / (1 + count_V))
    direction_VD = _directions(key, np.sqrt(count_V) * weight_V, dimensions)
    direction_VD[: len(SPECIAL_TOKENS)] = 0  # a text may spell them, and they mean nothing
    return StaticEncoder(tokenizer, dimensions), _as_params(Table(direction_VD, weight_V))


def distill(
    encoder: Encoder,
    params: Any,
    *,
    dimensions: int = 256,
    texts: Iterable[str] | None = None,
    mesh: Mesh | None = None,
) -> tuple[StaticEncoder, dict[str, Any]]:
    """The static encoder that a transformer's own vectors of its tokens make.

    Every token of the vocabulary goes through the transformer as a text of its own. The vectors
    lose their mean and all but their principal components, and frequent tokens weigh little:

        w_v = a / (a + p_v)  with a = 1e-4

    Args:
      encoder: a transformer; its tokenizer is copied.
      params: its parameters.
      dimensions: D, at most those of the transformer's vectors.
      texts: in which tokens are counted for p; by default p follows Zipf's law in the order of
        the vocabulary, whose frequent tokens come first.
      mesh: the devices; by default all of all processes.

    Returns:
      The StaticEncoder and its parameters.

    Raises:
      InputError: more dimensions than the transformer has, or one that is static already.

    Sources: Arora et al., "A Simple but Tough-to-Beat Baseline for Sentence Embeddings", ICLR 2017
    (weights); the procedure is model2vec's (Tulkens and van Dongen, 2024).
    """
    if isinstance(encoder, StaticEncoder):
        raise InputError("the model is static already")
    if dimensions > encoder.dimensions:
        raise InputError(
            f"--dimensions {dimensions}: the model's vectors have {encoder.dimensions}"
        )
    fast = encoder.tokenizer.fast
    tokenizer = BagTokenizer(Backend.from_str(encoder.tokenizer.backend.to_str()))
    head, tail = encoder.tokenizer.head, encoder.tokenizer.tail
    rows = [[*head, token, *tail] for token in range(tokenizer.vocab_size)]
    plain = replace(encoder.unnormalized(), truncate_dim=None)
    mesh = make_mesh(devices()) if mesh is None else mesh
    vector_VD = Embedder(plain, mesh)(put_global(params, replicated(mesh)), rows)
    is_word_V = np.ones(len(rows), bool)
    is_word_V[fast.all_special_ids] = False
    table_VD = np.zeros((len(rows), dimensions))
    table_VD[is_word_V] = _principal(vector_VD[is_word_V].astype(np.float64), dimensions)
    share_V = is_word_V / (1 + is_word_V.cumsum())
    if texts is not None:
        share_V = is_word_V * _tokens_in(texts, tokenizer)
    weight_V = is_word_V * SIF / (SIF + share_V / (share_V.sum() or 1))
    table = Table(table_VD, weight_V)
    return StaticEncoder(tokenizer, dimensions), _as_params(table)


def _principal(x_VD: Float[np.ndarray, "V D"], dimensions: int) -> Float[np.ndarray, "V F"]:
    """Coordinates along the principal components, the largest first, each of a definite sign."""
    x_VD = x_VD - x_VD.mean(axis=0)
    _, component_DD = np.linalg.eigh(x_VD.T @ x_VD)
    score_VF = x_VD @ component_DD[:, ::-1][:, :dimensions]
    largest_F = np.take_along_axis(score_VF, np.abs(score_VF).argmax(axis=0)[None], axis=0)
    return score_VF * np.where(largest_F < 0, -1, 1)


def _as_params(table: Table) -> dict[str, Any]:
    return {name: jnp.asarray(x, jnp.float32) for name, x in table._asdict().items()}


def _directions(
    key: jax.Array, importance_V: Float[np.ndarray, " V"], dimensions: int
) -> Float[np.ndarray, "V D"]:
    """Random unit vectors, the nearer to orthogonal the larger their importance.

    The columns of A, rows of normal numbers times importance, are made orthonormal: then A Aᵀ is a
    projection, the nearest of rank D to the matrix of ones on the diagonal, and large rows have
    the smallest share of its error.
    """
    shape = (len(importance_V), dimensions)
    normal_VD = np.asarray(jax.random.normal(key, shape, jnp.float32), np.float64)
    frame_VD = normal_VD
    if len(importance_V) > dimensions:
        frame_VD = np.linalg.qr((importance_V[:, None] + SMALLEST) * normal_VD)[0]
    return frame_VD / np.linalg.norm(frame_VD, axis=1, keepdims=True)


def _texts_with(texts: Sequence[str], tokenizer: BagTokenizer) -> Float[np.ndarray, " V"]:
    """In how many texts each token is."""
    count_V = np.zeros(tokenizer.vocab_size)
    for ids in _tokenized(texts, tokenizer):
        count_V[np.unique(ids)] += 1
    return count_V


def _tokens_in(texts: Iterable[str], tokenizer: BagTokenizer) -> Float[np.ndarray, " V"]:
    """How often each token is in all texts."""
    count_V = np.zeros(tokenizer.vocab_size)
    for ids in _tokenized(texts, tokenizer):
        count_V += np.bincount(ids, minlength=len(count_V))
    return count_V


def _tokenized(texts: Iterable[str], tokenizer: BagTokenizer) -> Iterator[np.ndarray]:
    check_texts(texts, "texts")
    left = iter(texts)
    while some := [*islice(left, COUNTED_AT_ONCE)]:
        yield from (np.asarray(ids, int) for ids in tokenizer.tokenize(some))
