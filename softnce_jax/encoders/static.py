"""Static vectors: a text's is the mean of its tokens' weighted rows in a table. On the host.

This is all that a static model needs to answer: numpy and tokenizers, no jax, so a vector is there
a tenth of a second after Python starts. `encoders/static_encoder.py` trains the same in jax.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from tokenizers import Tokenizer as Backend

from softnce_jax.encoders.prompts import LONGEST_TEXT, NO_PROMPTS, Prompts
from softnce_jax.errors import InputError, check_texts

if TYPE_CHECKING:
    from jaxtyping import Float, Num

__all__ = ["BagTokenizer", "StaticTextEncoder", "Table", "mean_vectors"]

BLOCK_TEXTS = 1024  # tokenized together
TINY = 1e-32  # keeps the vector of a text without tokens zero, as model2vec does


class BagTokenizer:
    """Reads texts as bags of tokens: no special tokens around them, unknown tokens left out.

    As model2vec does, so that its vectors are ours.

    Args:
      backend: the tokenizer; not to be used elsewhere afterwards.
      max_length: of a text, in tokens, as a folder of model2vec may say; None for no limit.
      prompts: what goes before texts.

    Attributes:
      backend, max_length, prompts: as given.
      unknown_id: the id of the unknown token; None where every text has known tokens.
      vocab_size: one more than the largest id.

    Raises:
      InputError: a tokenizer without tokens.

    Example:
      >>> from tokenizers import models, pre_tokenizers
      >>> backend = Backend(models.WordLevel({"?": 0, "add": 1, "sum": 2}, unk_token="?"))
      >>> backend.pre_tokenizer = pre_tokenizers.Whitespace()
      >>> BagTokenizer(backend).tokenize(["sum or add", ""])
      [[2, 1], []]
    """

    # What readers of other tokenizers ask for: nothing stands around a text, nothing is padded.
    head: tuple[int, ...] = ()
    tail: tuple[int, ...] = ()
    special_count = 0
    pad_id = 0

    def __init__(
        self, backend: Backend, *, max_length: int | None = None, prompts: Prompts = NO_PROMPTS
    ):
        vocabulary = backend.get_vocab()
        if not vocabulary:
            raise InputError("the tokenizer has no tokens")
        self.backend, self.max_length, self.prompts = backend, max_length, prompts
        backend.no_truncation()
        backend.no_padding()
        self.unknown_id = _unknown_id(backend)
        self.vocab_size = max(vocabulary.values()) + 1
        self._characters = LONGEST_TEXT
        if max_length is not None:
            # model2vec cuts characters before tokens, by the median length of a token.
            size = int(np.median([len(token) for token in vocabulary]))
            self._characters = min(LONGEST_TEXT, max_length * size)

    def tokenize(
        self, texts: Sequence[str], max_length: int = LONGEST_TEXT, *, prompt: str | None = None
    ) -> list[list[int]]:
        """The ids of every text.

        Args:
          texts: any strings; LONGEST_TEXT characters of each are read.
          max_length: maximum tokens; longer texts lose their end.
          prompt: goes before every text; by default the usual one, if there is any.

        Returns:
          A list of ids for each text, empty where it has no known token.

        Raises:
          InputError: a string in the place of a list of texts.
        """
        check_texts(texts, "texts")
        prompt = self.prompts.usual if prompt is None else prompt
        cut = [(prompt + text)[: self._characters] for text in texts]
        most = min(max_length, self.max_length or max_length)
        encodings = self.backend.encode_batch_fast(cut, add_special_tokens=False)
        return [self._known(encoding.ids[:most]) for encoding in encodings]

    def fingerprint(self) -> str:
        """A hash of everything that decides the ids."""
        text = f"{self.max_length} {self.backend.to_str()}"
        return hashlib.sha256(text.encode()).hexdigest()

    def _known(self, ids: list[int]) -> list[int]:
        unknown = self.unknown_id
        return [id for id in ids if id != unknown] if unknown in ids else ids


def _unknown_id(backend: Backend) -> int | None:
    """The id that a tokenizer's model gives to what it does not know, as its file says."""
    if hasattr(backend.model, "unk_token"):
        token = backend.model.unk_token
        return None if token is None else backend.token_to_id(token)
    # That of Unigram is shown by the file alone, which takes a while to write.
    return json.loads(backend.to_str())["model"].get("unk_id")


class Table(NamedTuple):
    """What a static model knows of its V tokens.

    Attributes:
      embeddings: (V, D), the row of each token; float32, float16 or int8.
      weights: (V,) float32, the weight of each token in the mean.
    """

    embeddings: np.ndarray
    weights: np.ndarray


def mean_vectors(
    params: Table | Mapping[str, Any], ragged: Sequence[Sequence[int]], *, normalize: bool
) -> Float[np.ndarray, "T D"]:
    """The vectors of T bags of tokens.

        v_t = 1/n_t Σ_i w_i e_i  over the n_t tokens i of text t

    Args:
      params: a Table, or a mapping with its names.
      ragged: token ids of each text.
      normalize: whether to scale vectors to unit length.

    Returns:
      Float32 vectors; that of an empty bag is zero.

    Example:
      >>> table = Table(np.array([[3.0, 0.0], [0.0, 4.0]], np.float32), np.ones(2, np.float32))
      >>> mean_vectors(table, [[0, 0, 1, 1], []], normalize=False).tolist()
      [[1.5, 2.0], [0.0, 0.0]]
    """
    params = params._asdict() if isinstance(params, Table) else params
    embedding_VD, weight_V = (np.asarray(params[name]) for name in Table._fields)
    vector_TD = np.zeros((len(ragged), embedding_VD.shape[1]), np.float32)
    for text, ids in enumerate(ragged):
        if len(ids):
            # Token after token, as model2vec and PyTorch sum: over 20,000 tokens a more exact sum,
            # as of each different token once, would differ from theirs by 5e-5.
            token_PD = embedding_VD[ids] * weight_V[ids][:, None]
            vector_TD[text] = token_PD.sum(axis=0) / len(ids)
    return _unit_length(vector_TD) if normalize else vector_TD


def _unit_length(vector_TD: np.ndarray) -> np.ndarray:
    return vector_TD / (np.linalg.norm(vector_TD, axis=1, keepdims=True) + TINY)


class StaticTextEncoder:
    """A static model, bound: texts in, vectors out, without jax.

    It has the methods of `TextEncoder`. `load_static` and `load_encoder` make one of a folder.

    Args:
      tokenizer: reads texts.
      table: of its tokens.
      normalize: whether vectors have unit length.
      similarity: of two vectors, as the model's folder says.

    Example:
      >>> from tokenizers import models
      >>> backend = Backend(models.WordLevel({"add": 0, "sum": 1}, unk_token="?"))
      >>> table = Table(np.eye(2, dtype=np.float32), np.ones(2, np.float32))
      >>> model = StaticTextEncoder(BagTokenizer(backend), table)
      >>> model.encode_query(["sum"]).tolist()
      [[0.0, 1.0]]
    """

    def __init__(
        self,
        tokenizer: BagTokenizer,
        table: Table,
        *,
        normalize: bool = True,
        similarity: Literal["dot", "cosine"] = "cosine",
    ):
        self.tokenizer, self.table = tokenizer, table
        self.normalize, self.similarity_name = normalize, similarity

    @property
    def dimensions(self) -> int:
        """D, the numbers of a vector."""
        return self.table.embeddings.shape[1]

    def encode_query(
        self, texts: Sequence[str], *, progress: bool = False
    ) -> Float[np.ndarray, "Q D"]:
        """The vectors of queries, after the prompt that the model has for them.

        Args:
          texts: Q queries; LONGEST_TEXT characters of each are read.
          progress: whether to show a progress bar.

        Returns:
          Float32 vectors (Q, D).

        Raises:
          InputError: one string instead of a list of them.
        """
        return self._encode(texts, self.tokenizer.prompts.query, "queries", progress)

    def encode_document(
        self, texts: Sequence[str], *, language: str | None = None, progress: bool = False
    ) -> Float[np.ndarray, "M D"]:
        """The vectors of code, after the prompt that the model has for it.

        Args:
          texts: M functions; LONGEST_TEXT characters of each are read.
          language: as of `TextEncoder`; a static model reads all of them alike.
          progress: as above.

        Returns:
          Float32 vectors (M, D).

        Raises:
          InputError: one string instead of a list of them.
        """
        return self._encode(texts, self.tokenizer.prompts.document, "documents", progress)

    def similarity(
        self, q_QD: Num[np.ndarray, "Q D"], c_MD: Num[np.ndarray, "M D"]
    ) -> Float[np.ndarray, "Q M"]:
        """The similarity of queries and code that the model was trained for: dot or cosine."""
        if self.similarity_name == "cosine":
            q_QD, c_MD = _unit_length(q_QD), _unit_length(c_MD)
        return q_QD @ c_MD.T

    def _encode(self, texts: Sequence[str], prompt: str, title: str, progress: bool) -> np.ndarray:
        check_texts(texts, "texts")
        starts: Iterable[int] = range(0, len(texts), BLOCK_TEXTS)
        if progress:
            from tqdm import tqdm  # here, for an answer needs none

            starts = tqdm(starts, desc=title, unit_scale=BLOCK_TEXTS, unit="text")
        vectors = [np.zeros((0, self.dimensions), np.float32)]
        for start in starts:
            ragged = self.tokenizer.tokenize(texts[start : start + BLOCK_TEXTS], prompt=prompt)
            vectors.append(mean_vectors(self.table, ragged, normalize=self.normalize))
        return np.concatenate(vectors)
