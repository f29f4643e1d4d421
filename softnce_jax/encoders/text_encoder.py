"""A text encoder: an encoder bound to its parameters and devices; texts in, vectors out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jax.sharding import Mesh
from tqdm import tqdm

from softnce_jax._scores import unit_length
from softnce_jax.data.corpus import Candidate
from softnce_jax.encoders.embed import BLOCK_ROWS, Embedder
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.processor import Processor
from softnce_jax.errors import InputError, check_texts
from softnce_jax.mesh import devices, make_mesh, put_global, replicated
from softnce_jax.packing import Text

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["TextEncoder"]


class TextEncoder:
    """An encoder with its parameters on devices.

    Texts are packed into rows and embedded some thousands of tokens at a time, so memory does not
    grow with their number beyond that of their vectors. Where several processes run, each calls
    the same methods with the same texts and gets all vectors.

    Args:
      encoder: makes the vectors.
      params: its parameters.
      mesh: the devices; by default all of all processes.

    Attributes:
      encoder: as given.
      params: on the devices.

    Example:
      >>> import jax
      >>> from softnce_jax.pretrained.tiny import TinyConfig, tiny
      >>> sizes = TinyConfig(vocab_size=300, hidden_size=32)
      >>> parts = tiny(["def add(a, b)"], key=jax.random.key(0), sizes=sizes)
      >>> model = TextEncoder(*parts)
      >>> q_QD = model.encode_query(["add two numbers", "a sum"])
      >>> c_MD = model.encode_document(["def add(a, b): return a + b"])
      >>> q_QD.shape, model.similarity(q_QD, c_MD).shape
      ((2, 32), (2, 1))
    """

    def __init__(self, encoder: Encoder, params: dict[str, Any], *, mesh: Mesh | None = None):
        mesh = make_mesh(devices()) if mesh is None else mesh
        self.encoder = encoder
        self.params = put_global(params, replicated(mesh))
        self._embedder = Embedder(encoder, mesh)

    def encode_query(
        self, texts: Sequence[str], *, progress: bool = False
    ) -> Float[np.ndarray, "Q D"]:
        """The vectors of queries, after the prompt that the model has for them.

        Args:
          texts: Q queries; the end of one that has more than `encoder.query_length` tokens is cut.
          progress: whether to show a progress bar.

        Returns:
          Float32 vectors (Q, D), as of sentence-transformers' method of this name.

        Raises:
          InputError: one string instead of a list of them.
        """
        check_texts(texts, "texts")
        return self._encode(texts, Processor.of(self.encoder).queries, "queries", progress)

    def encode_document(
        self, texts: Sequence[str], *, language: str | None = None, progress: bool = False
    ) -> Float[np.ndarray, "M D"]:
        """The vectors of code, after the prompt that the model has for it.

        Args:
          texts: M functions; the end of one that has more than `encoder.code_length` tokens is cut.
          language: theirs, a key of LANGUAGES; needed where the encoder reads data flow.
          progress: as above.

        Returns:
          Float32 vectors (M, D), as of sentence-transformers' method of this name, which knows no
          data flow.

        Raises:
          InputError: one string instead of a list of them, or no language where one is needed.
        """
        check_texts(texts, "texts")
        if language is None and self.encoder.dataflow != "none":
            raise InputError(
                f"the encoder reads data flow ({self.encoder.dataflow}): give language="
            )

        def rows(some: Sequence[str]) -> Sequence[Text]:
            # A processor of their own: it keeps the data flow of all functions that it has seen.
            processor = Processor.of(self.encoder)
            return processor.codes([Candidate(text, "", language or "") for text in some])

        return self._encode(texts, rows, "documents", progress)

    def similarity(
        self, q_QD: Float[np.ndarray, "Q D"], c_MD: Float[np.ndarray, "M D"]
    ) -> Float[np.ndarray, "Q M"]:
        """The similarity of queries and code that the model was trained for: dot or cosine."""
        if self.encoder.similarity == "cosine":
            q_QD, c_MD = np.asarray(unit_length(q_QD)), np.asarray(unit_length(c_MD))
        return q_QD @ c_MD.T

    def _encode(
        self,
        texts: Sequence[str],
        rows: Callable[[Sequence[str]], Sequence[Text]],
        title: str,
        progress: bool,
    ) -> np.ndarray:
        """The vectors of texts, some at a time."""
        vectors = [np.zeros((0, self.encoder.dimensions), np.float32)]
        with tqdm(total=len(texts), desc=title, unit="text", disable=not progress) as bar:
            for start in range(0, len(texts), BLOCK_ROWS):
                some = texts[start : start + BLOCK_ROWS]
                vectors.append(self._embedder(self.params, rows(some)))
                bar.update(len(some))
        return np.concatenate(vectors)
