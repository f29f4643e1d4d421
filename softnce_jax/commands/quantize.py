"""`softnce quantize`: a static model whose table takes half or a quarter of the space."""

from __future__ import annotations

import dataclasses
import logging
from typing import Literal

from softnce_jax.typed import OutPath

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Flags:
    """Writes a static model with a smaller table."""

    model: str
    """The run or model folder of a static model, or a Hub id in the local cache."""
    out: OutPath
    """The folder to write."""
    table: Literal["float32", "float16", "int8"] = "float16"
    """Type of the table's numbers; sentence-transformers cannot load int8."""


def main(flags: Flags) -> None:
    """Writes the model that the flags name."""
    from softnce_jax.files import to_path
    from softnce_jax.pretrained.static import load_static, write_static

    write_static(flags.out, load_static(flags.model), table_type=flags.table)
    size = (to_path(flags.out) / "model.safetensors").stat().st_size
    log.info(f"{size / 1e6:.1f} MB: {flags.out}")
