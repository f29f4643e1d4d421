"""A checkpoint of a run that is not over, as a model."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import jax

from softnce_jax.encoders.embed import Embedder
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.errors import InputError
from softnce_jax.mesh import make_mesh
from softnce_jax.train.checkpoint import Checkpoints, read_config
from softnce_jax.train.config import Config
from softnce_jax.train.loop import schedule_of, start
from softnce_jax.train.setup import build_encoder, read_data, scale_of


def open_checkpoint(path: Path, *, precision: str, download: bool) -> tuple[Encoder, Any]:
    """The encoder and parameters of `RUN/checkpoints/STEP`, on any number of devices.

    Args:
      path: of the step's folder.
      precision: of the encoder's arithmetic.
      download: whether the run's encoder may be fetched from the Hub.

    Raises:
      InputError: no such checkpoint, or not one of fine-tuning.
    """
    if not path.is_dir():
        raise InputError(f"{path}: no such checkpoint")
    stored = read_config(path.parent, int(path.name))
    names = [field.name for field in dataclasses.fields(Config)]
    if missing := [name for name in names if name not in stored]:
        raise InputError(
            f"{path}: not a checkpoint of fine-tuning (its configuration has no {missing[0]}); "
            "name a finished run or its model/"
        )
    settled = {name: stored[name] for name in names}
    config = Config(**settled | {"precision": precision, "download": download})
    data = read_data(config)
    encoder, initial = build_encoder(config, data.train)
    # The state's shapes are what Orbax restores into.
    embedder = Embedder(encoder, make_mesh(jax.devices()))
    schedule = schedule_of(config, len(data.train))
    _, state = start(config, embedder, initial, schedule, scale_of(config, encoder))
    checkpoints = Checkpoints(path.parent, stored)
    try:
        return encoder, checkpoints.restore_step(int(path.name), state).state.params
    finally:
        checkpoints.close()
