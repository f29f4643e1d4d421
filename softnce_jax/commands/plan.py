"""`softnce plan`: will a fine-tuning run fit on devices that are not here, and what to change."""

from __future__ import annotations

import dataclasses
import logging
from typing import Annotated

import tyro

from softnce_jax.errors import InputError
from softnce_jax.train.config import Config
from softnce_jax.typed import OutPath

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags(Config):
    """Compiles the step of `finetune` with the same flags for TPUs or GPUs that are not here.

    Prints the memory, collectives and products of a step and a time that no step can beat. Nothing
    is trained; the compilers are those of requirements-tpu.txt.
    """

    topology: str
    """v5e-16, v5litepod-16, v5e:4x4, v4-32, v5p-8, v6e-8, h100:8, h100:2x8 (hosts x GPUs), or
    slices of TPUs joined by a network, 2*v5e-16."""
    lengths: str | None = None
    """An .npz of token lengths, arrays LANG_q and LANG_c, where there are no data yet."""
    advice: bool = True
    """Compile other choices too: the largest batch, slices of it, recomputed layers. Minutes."""
    json: Annotated[OutPath | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the plan as JSON, too."""


def main(flags: Flags) -> None:
    """Prints the plan of the run that the flags name."""
    from softnce_jax.train.topologies import described_devices, parse_topology

    topology = parse_topology(flags.topology)
    described_devices(topology)  # before other imports: jax must take the CPU for all else
    from softnce_jax.files import write_json
    from softnce_jax.train.plan import Planner, advise
    from softnce_jax.train.plan_report import choice_line, plan_json, plan_lines, verdict

    config = Config(**{f.name: getattr(flags, f.name) for f in dataclasses.fields(Config)})
    planner = Planner(config, topology, flags.lengths)
    program = planner.compile(planner.config)
    for line in [*planner.notes, *plan_lines(program, topology)]:
        log.info(line)
    choices = []
    for choice in advise(planner, program) if flags.advice else ():
        log.info(choice_line(choice, topology))
        choices.append(choice)
    if flags.json is not None:
        write_json(flags.json, plan_json(program, topology, choices, planner.notes))
    if (why := verdict(program, topology, choices)) is not None:
        raise InputError(why)
