"""`softnce distill`: a static encoder made of the vectors that a transformer gives its tokens."""

from __future__ import annotations

import dataclasses
import logging
from typing import Annotated, Literal

from tyro.conf import arg

from softnce_jax.languages import LANGUAGES
from softnce_jax.typed import Count, OutPath

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Flags:
    """Distills a transformer into a static encoder: a table of its tokens' vectors.

    The folder is in model2vec's layout. finetune --encoder FOLDER trains it further, evaluate
    --model FOLDER measures it.
    """

    model: str
    """A preset, a run or model folder, or a Hub id, of a RoBERTa, BERT or DistilBERT."""
    out: OutPath
    """The folder to write."""
    dimensions: Count = 256
    """Numbers of a vector, at most those of the model's."""
    data: str | None = None
    """Training data whose tokens are counted for the weights, as of finetune; by default their
    frequencies follow Zipf's law in the order of the vocabulary."""
    lang: Annotated[str, arg(help=f"Of the data: {', '.join(LANGUAGES)}, or all.")] = "all"
    table: Literal["float32", "float16", "int8"] = "float32"
    """Type of the table's numbers; sentence-transformers cannot load int8."""
    download: bool = False
    """Fetch the model from the Hub when it is not in the local cache."""


def main(flags: Flags) -> None:
    """Distills the model that the flags name."""
    from softnce_jax.data.load import load_corpora
    from softnce_jax.mesh import without_x64
    from softnce_jax.pretrained.load import load
    from softnce_jax.pretrained.static import write_static
    from softnce_jax.pretrained.static_starts import distill

    texts = None
    if flags.data is not None:
        corpora, notes = load_corpora(flags.data, flags.lang, strict=False)
        for line in notes:
            log.info(line)
        pairs = (pair for corpus in corpora for pair in corpus.train)
        texts = (text for pair in pairs for text in (pair.query, pair.code))
    encoder, params = load(flags.model, download=flags.download)
    with without_x64():
        static, table = distill(encoder, params, dimensions=flags.dimensions, texts=texts)
    write_static(flags.out, static.bind(table), table_type=flags.table)
    tokens, dimensions = table["embeddings"].shape
    log.info(f"{tokens:,} tokens of {dimensions} numbers, {flags.table}: {flags.out}")
