"""Tokenizers: texts to ragged lists of token ids, in batches, in the loader."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer as Backend
from tokenizers import processors
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from softnce_jax.encoders.prompts import LONGEST_TEXT, NO_PROMPTS, Prompts
from softnce_jax.errors import InputError, check_texts

if TYPE_CHECKING:
    from jaxtyping import Int

    from softnce_jax.encoders.static import BagTokenizer


__all__ = ["CachedTokenizer", "Tokenizer", "as_fast"]

# A text is cut before it is tokenized: a second a megabyte is a lot for what is thrown away.
CHARACTERS = 32  # of a text for each token wanted; code has 3 or 4
MARGIN = 8  # tokens more than are wanted: the last ones before a cut may not be those of the text


class Tokenizer:
    """A fast tokenizer with the special tokens of one encoder around every text.

    Its own post-processor adds the special tokens, a prefix included, so they are saved with it.
    Nothing changes after construction: threads may share it.

    Attributes:
      fast, backend: the tokenizer of transformers, and that of the `tokenizers` library in it.
      prompts: the texts that the encoder was trained to read before its texts.
      head, tail: ids before and after a text.
      pad_id, unknown_id: ids of padding and of an unknown token.
      first_position: position id of a text's first token.
      vocab_size: one more than the largest id.

    Example:
      >>> from softnce_jax.pretrained.tiny import train_tokenizer
      >>> tokenizer = Tokenizer(train_tokenizer(["def add(a, b): return a + b"] * 2))
      >>> tokenizer.tokenize(["add", "addAdd"], 8) == [tokenizer.tokenize(["add"], 8)[0],
      ...                                             tokenizer.tokenize(["add_add"], 8)[0]]
      True
    """

    def __init__(
        self,
        fast: PreTrainedTokenizerBase,
        *,
        prefix: tuple[str, ...] = (),
        first_position: int | None = None,
        prompts: Prompts = NO_PROMPTS,
    ):
        """Takes over a fast tokenizer and sets its prefix.

        Args:
          fast: a transformers tokenizer backed by the `tokenizers` library; not to be used
            elsewhere afterwards.
          prefix: tokens of its vocabulary to put after the first special token of every text.
          first_position: by default that of RoBERTa, pad id + 1.
          prompts: of the encoder; `tokenize` puts them before texts.

        Raises:
          InputError: no fast tokenizer, no pad token, or a prefix token it does not know.
        """
        source = fast.name_or_path or type(fast).__name__
        if not fast.is_fast:
            raise InputError(f"{source}: no fast tokenizer; save one with tokenizer.json")
        if fast.pad_token_id is None:
            raise InputError(f"{source}: the tokenizer has no pad token; set pad_token and save it")
        self.fast, self.prompts = fast, prompts
        self.backend = fast.backend_tokenizer
        self.backend.no_truncation()
        self.backend.no_padding()
        if prefix:
            self._set_prefix(prefix, source)
        self.head, self.tail = self._specials()
        self.pad_id: int = fast.pad_token_id
        self.unknown_id: int = self.pad_id if fast.unk_token_id is None else fast.unk_token_id
        self.first_position = self.pad_id + 1 if first_position is None else first_position
        self.vocab_size: int = max(fast.get_vocab().values()) + 1

    @property
    def special_count(self) -> int:
        """How many tokens stand around a text, the prefix included."""
        return len(self.head) + len(self.tail)

    def tokenize(
        self, texts: Sequence[str], max_length: int, *, prompt: str | None = None
    ) -> list[list[int]]:
        """The ids of every text: special tokens, prefix, prompt and text, special tokens.

        Args:
          texts: any strings; the empty string gives only the special tokens. Padding tokens that
            a text spells are dropped.
          max_length: maximum tokens, special tokens and prompt included; longer texts lose their
            end. A text is read no further than it needs, and to LONGEST_TEXT characters at most.
          prompt: goes before every text; by default the encoder's usual one, if it has any.

        Returns:
          A list of ids for each text, unpadded. Where the encoder leaves prompts out of its mean,
          their tokens and those before them have the complements of their ids, which are negative.

        Raises:
          InputError: `max_length` leaves no room for a token of the text, or a string in the place
            of a list of texts.
        """
        check_texts(texts, "texts")
        room = max_length - self.special_count
        if room < 1:
            specials = self.special_count
            raise InputError(f"max_length {max_length} must exceed the {specials} special tokens")
        prompt = self.prompts.usual if prompt is None else prompt
        prompted = [prompt + text for text in texts] if prompt else texts
        rows = [[*self.head, *ids[:room], *self.tail] for ids in self._beginnings(prompted, room)]
        if self.prompts.pooled or not prompt:
            return rows
        (own,) = self._ids([prompt])
        size = len(self.head) + min(len(own), room)
        return [[*(~id for id in row[:size]), *row[size:]] for row in rows]

    def _beginnings(self, texts: Sequence[str], room: int) -> list[list[int]]:
        """The ids of every text, at least `room` of a text that has more."""
        cut = [_cut(text, CHARACTERS * room) for text in texts]
        found = self._ids(cut)
        short = [
            n
            for n, ids in enumerate(found)
            if len(ids) < room + MARGIN and len(cut[n]) < len(texts[n])
        ]
        longer = self._ids([_cut(texts[n], max(LONGEST_TEXT, CHARACTERS * room)) for n in short])
        for n, ids in zip(short, longer, strict=True):
            found[n] = ids
        return found

    def _ids(self, texts: list[str]) -> list[list[int]]:
        encodings = self.backend.encode_batch_fast(texts, add_special_tokens=False)
        return [self._tokens(encoding) for encoding in encodings]

    def _tokens(self, encoding) -> list[int]:
        """The ids without padding, which a text may spell; no token would attend to it."""
        ids = encoding.ids
        return [id for id in ids if id != self.pad_id] if self.pad_id in ids else ids

    def pieces(self, words: Sequence[str], *, after_space: bool) -> list[list[int]]:
        """The ids of every word, without special tokens.

        Args:
          words: any strings; LONGEST_TEXT characters of each are read.
          after_space: whether white space comes before them, as inside a text.

        Returns:
          A list of ids for each word.
        """
        check_texts(words, "words")
        words = [word[:LONGEST_TEXT] for word in words]
        texts = [f"@ {word}" for word in words] if after_space else words
        return [ids[after_space:] for ids in self._ids(texts)]

    def fingerprint(self) -> str:
        """A hash of everything that decides the ids."""
        return hashlib.sha256(self.backend.to_str().encode()).hexdigest()

    def pad(self, ragged: Sequence[Sequence[int]], length: int) -> Int[np.ndarray, "R L"]:
        """Rows as one array, padded on the right.

        Args:
          ragged: R lists of ids.
          length: L.

        Returns:
          int32 ids (R, L).

        Raises:
          ValueError: a row is longer than `length`.
        """
        ids_RL = np.full((len(ragged), length), self.pad_id, np.int32)
        for row, ids in enumerate(ragged):
            if len(ids) > length:
                raise ValueError(f"row {row} has {len(ids)} tokens, more than length {length}")
            ids_RL[row, : len(ids)] = ids
        return ids_RL

    def _set_prefix(self, prefix: tuple[str, ...], source: str) -> None:
        """Makes the post-processor add the prefix after the first special token."""
        vocabulary = self.fast.get_vocab()
        if unknown := [token for token in prefix if token not in vocabulary]:
            raise InputError(f"{source}: the vocabulary has no prefix token {unknown[0]!r}")
        head, tail = self._specials()
        before = [*self.fast.convert_ids_to_tokens(head[:1]), *prefix]
        after = self.fast.convert_ids_to_tokens(tail)
        self.backend.post_processor = processors.TemplateProcessing(
            single=[*before, "$A", *after],
            special_tokens=[(token, vocabulary[token]) for token in {*before, *after}],
        )

    def _specials(self) -> tuple[list[int], list[int]]:
        """The ids that the post-processor puts before and after a text."""
        encoding = self.backend.encode("a", add_special_tokens=True)
        text = [at for at, sequence in enumerate(encoding.sequence_ids) if sequence == 0]
        if not text:
            raise InputError(
                "the tokenizer has no tokens for the text 'a': tokenizer.json is damaged"
            )
        return encoding.ids[: text[0]], encoding.ids[text[-1] + 1 :]


def _cut(text: str, size: int) -> str:
    """At most `size` characters of a text, to the end of a word if one ends in the second half."""
    if len(text) <= size:
        return text
    cut = text[:size]
    parts = cut.rsplit(None, 1)
    return parts[0] if len(parts) == 2 and 2 * len(parts[0]) >= size else cut


def as_fast(backend: Backend, special_tokens: dict[str, str], **options) -> PreTrainedTokenizerFast:
    """A backend in transformers' generic class, which loads tokenizer.json unchanged.

    The classes for one architecture rebuild parts of it (in transformers 5 all of it).
    """
    return PreTrainedTokenizerFast(tokenizer_object=backend, **special_tokens, **options)


class CachedTokenizer:
    """A tokenizer that remembers the ids of every text. Threads may share it.

    A text takes 214 bytes and 4 more for each token, in each process.

    Args:
      tokenizer: makes the ids.

    Example:
      >>> from softnce_jax.pretrained.tiny import train_tokenizer
      >>> cached = CachedTokenizer(Tokenizer(train_tokenizer(["add a", "add a"])))
      >>> cached.tokenize(["add"], 8)[0] is cached.tokenize(["a", "add"], 8)[1]
      True
    """

    def __init__(self, tokenizer: Tokenizer | BagTokenizer):
        self._tokenizer, self.pad_id = tokenizer, tokenizer.pad_id
        self._known: dict[tuple[int, str | None], dict[bytes, np.ndarray]] = {}

    def tokenize(
        self, texts: Sequence[str], max_length: int, *, prompt: str | None = None
    ) -> list[np.ndarray]:
        """The ids of every text as of `Tokenizer.tokenize`, in int32 arrays.

        All callers share the arrays, so they are read-only.
        """
        check_texts(texts, "texts")
        known = self._known.setdefault((max_length, prompt), {})
        # Digests, not texts, as keys: those of a corpus on disk are nowhere else in memory.
        keys = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if new:
            made = self._tokenizer.tokenize(list(new.values()), max_length, prompt=prompt)
            for key, ids in zip(new, made, strict=True):
                known[key] = np.array(ids, np.int32)
                known[key].flags.writeable = False
        return [known[key] for key in keys]
