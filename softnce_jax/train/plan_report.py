"""What a plan says: lines to read, and the same as JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from softnce_jax.train.compiled import Collective
from softnce_jax.train.plan import Choice, Program
from softnce_jax.train.setup import slices_of
from softnce_jax.train.topologies import Topology

GIB = 2**30


def plan_lines(program: Program, topology: Topology) -> list[str]:
    """The plan of a step, line by line."""
    config, memory = program.config, program.memory
    chip = topology.chip
    rows = (
        f"{program.rows} rows of {program.length}" if program.rows else f"{program.length} tokens"
    )
    slices = f" in {slices_of(config)} slices" if slices_of(config) > 1 else ""
    temporaries = memory.temporaries
    held = "?" if temporaries is None else _gib(temporaries)
    lines = [
        f"devices      {topology.size} x {topology.kind}, {_gib(chip.memory)} GiB each to use",
        f"step         {config.batch_size} pairs{slices}; on each device {rows}",
        f"memory       parameters {_gib(memory.parameters)}, optimiser {_gib(memory.optimizer)}, "
        f"batch {_gib(memory.batch)}, temporaries {held} GiB a device",
        f"peak         {_gib(memory.peak)} of {_gib(chip.memory)} GiB: "
        + ("it fits" if program.fits else "it does not fit"),
        f"programs     {program.shapes} shapes of batches; this one, the largest, took "
        f"{program.seconds:.0f} s to compile here",
        "products     " + _products(program.products),
    ]
    if program.collectives is not None:
        lines += [f"collectives  {line}" for line in _collective_lines(program.collectives)]
    if program.bound is not None:
        bound = program.bound
        each = ", ".join(f"{name} {_ms(value)}" for name, value in bound._asdict().items())
        lines.append(
            f"bound        no step is faster than {_ms(bound.seconds)} ms, for {bound.binds} "
            f"({each})"
        )
    return lines


def choice_line(choice: Choice, topology: Topology) -> str:
    """What another choice of flags would need."""
    memory = choice.program.memory
    fits = "fits" if choice.program.fits else "does not fit"
    return (
        f"{choice.flags:<28} {_gib(memory.peak):>6} of {_gib(topology.chip.memory)} GiB, {fits} "
        f"({choice.about})"
    )


def verdict(program: Program, topology: Topology, choices: Sequence[Choice]) -> str | None:
    """Why a step cannot run, in one line; None where it can."""
    if program.fits:
        return None
    ways = [choice.flags for choice in choices if choice.program.fits]
    return (
        f"--topology {topology.name}: a step of {program.config.batch_size} pairs needs "
        f"{_gib(program.memory.peak)} GiB on each device, and there are "
        f"{_gib(topology.chip.memory)}" + (f": {', or '.join(ways)}" if ways else "")
    )


def plan_json(
    program: Program, topology: Topology, choices: Sequence[Choice], notes: Sequence[str]
) -> dict[str, Any]:
    """The plan as JSON: bytes, FLOPs and seconds."""
    return {
        "topology": topology._asdict() | {"devices": topology.size},
        "chip": topology.chip._asdict(),
        "notes": list(notes),
        **_program_json(program),
        "choices": [
            {"flags": choice.flags, "about": choice.about, **_program_json(choice.program)}
            for choice in choices
        ],
    }


def _program_json(program: Program) -> dict[str, Any]:
    bound, collectives = program.bound, program.collectives
    return {
        "batch_size": program.config.batch_size,
        "micro_batch": program.config.micro_batch,
        "gradient_checkpointing": program.config.gradient_checkpointing,
        "shapes": program.shapes,
        "rows": program.rows,
        "row_length": program.length,
        "compile_seconds": round(program.seconds, 1),
        "memory": program.memory._asdict(),
        "fits": program.fits,
        "flops": program.products,
        "collectives": None if collectives is None else _together(collectives),
        "no_faster_than": bound
        and {"seconds": bound.seconds, "binds": bound.binds} | {"terms": bound._asdict()},
    }


def _together(collectives: Sequence[Collective]) -> list[dict[str, Any]]:
    """Collectives by kind and number type: how many, and their bytes."""
    sizes = defaultdict(list)
    for each in collectives:
        sizes[each.kind, each.dtype].append(each.bytes)
    return [
        {"kind": kind, "dtype": dtype, "count": len(of_kind), "bytes": sum(of_kind)}
        for (kind, dtype), of_kind in sorted(sizes.items(), key=lambda item: -sum(item[1]))
    ]


def _collective_lines(collectives: Sequence[Collective]) -> list[str]:
    return [
        f"{row['count']} {row['kind']} of {row['dtype']}, {row['bytes'] / 1e6:.1f} MB in all"
        for row in _together(collectives)
    ] or ["none"]


def _products(products: dict[str, float]) -> str:
    """FLOPs in tera, by rate."""
    names = {"bfloat16": "bfloat16", "float32": "float32", "exact": "float32 exact"}
    each = [f"{flops / 1e12:.3f} {names[rate]}" for rate, flops in sorted(products.items())]
    return f"{sum(products.values()) / 1e12:.3f} TFLOP a device ({', '.join(each)})"


def _gib(size: float) -> str:
    return f"{size / GIB:.2f}"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.3g}"
