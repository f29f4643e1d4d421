"""What is read of a text: its first characters, after the prompt that a model was trained with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from softnce_jax.errors import InputError

__all__ = ["LONGEST_TEXT", "NO_PROMPTS", "Prompts"]

LONGEST_TEXT = 1 << 17  # characters

# The names that sentence-transformers looks for, in its order.
OF_QUERIES = ("query",)
OF_DOCUMENTS = ("document", "passage", "corpus")


@dataclass(frozen=True)
class Prompts:
    """The prompts of a model, as sentence-transformers stores them.

    Attributes:
      texts: the prompts by name.
      default: the name of the prompt before texts that are told to be neither; None for none.
      pooled: whether the tokens of a prompt count in the mean, as all others do.

    Raises:
      InputError: `default` is the name of no prompt.

    Example:
      >>> prompts = Prompts({"query": "find: ", "passage": "code: "}, default="query")
      >>> prompts.query, prompts.document, prompts.usual
      ('find: ', 'code: ', 'find: ')
      >>> Prompts({"query": "find: "}, default="query").document
      ''
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    default: str | None = None
    pooled: bool = True

    def __post_init__(self):
        # sentence-transformers has these two in every model.
        if self.default not in {None, "query", "document", *self.texts}:
            known = ", ".join(self.texts) or "none"
            raise InputError(f"default_prompt_name {self.default!r} is not among prompts: {known}")

    @property
    def usual(self) -> str:
        """The prompt before a text that is told to be neither query nor document."""
        return self.texts.get(self.default or "", "")

    @property
    def query(self) -> str:
        """The prompt before queries."""
        return self._first(OF_QUERIES, others=OF_DOCUMENTS)

    @property
    def document(self) -> str:
        """The prompt before documents, such as code."""
        return self._first(OF_DOCUMENTS, others=OF_QUERIES)

    def _first(self, names: tuple[str, ...], *, others: tuple[str, ...]) -> str:
        """The first prompt with one of the names; else the default, unless it is the others'."""
        for name in names:
            if name in self.texts:
                return self.texts[name]
        return "" if self.default in others else self.usual


NO_PROMPTS = Prompts()
