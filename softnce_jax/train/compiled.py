"""What a compiled program says of itself: memory, products, collectives, and what follows.

A time is not among them. What follows from the numbers is a bound that no run can beat.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn

from softnce_jax.train.topologies import Chip

# Names of number types in XLA's text: the names that people know, and bytes each.
TYPES = {
    "pred": ("bool", 1),
    "s8": ("int8", 1),
    "u8": ("uint8", 1),
    "s16": ("int16", 2),
    "u16": ("uint16", 2),
    "s32": ("int32", 4),
    "u32": ("uint32", 4),
    "s64": ("int64", 8),
    "u64": ("uint64", 8),
    "bf16": ("bfloat16", 2),
    "f16": ("float16", 2),
    "f32": ("float32", 4),
    "f64": ("float64", 8),
}
KINDS = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute|collective-broadcast"
_COLLECTIVE = re.compile(rf" = (?P<result>.*?) (?P<kind>{KINDS})(?P<start>-start)?\(")
_CHANNEL = re.compile(r"channel_id=(\d+)")
_ARRAY = re.compile(rf"\b({'|'.join(TYPES)})\[([\d,]*)\]")
# What a compiler says where memory does not suffice: bytes that it needs, of those that there are.
_TOO_LARGE = re.compile(r"required(?P<part>[^(]*)\((?P<number>[\d.]+)(?P<unit>[KMGT]?)\)")
UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


class Memory(NamedTuple):
    """Bytes on each device.

    Attributes:
      parameters, optimizer, batch: of the arguments.
      temporaries: what the program holds beside arguments and results; None where it was not
        compiled because it does not fit.
      peak: at the moment of the most.
    """

    parameters: int
    optimizer: int
    batch: int
    temporaries: int | None
    peak: int

    @property
    def state(self) -> int:
        """Parameters and the optimiser's state."""
        return self.parameters + self.optimizer


class Collective(NamedTuple):
    """What the devices send one another in one operation.

    Attributes:
      kind: as XLA names it.
      dtype: of the numbers.
      bytes: of the result on a device.
      devices: that take part in it together.
    """

    kind: str
    dtype: str
    bytes: int
    devices: int

    @property
    def sent(self) -> float:
        """Bytes that a device sends at least.

        all-reduce 2 S (P − 1) / P,  reduce-scatter S (P − 1),  permute S,  others S (P − 1) / P
        """
        others = (self.devices - 1) / self.devices
        factors = {
            "all-reduce": 2 * others,
            "reduce-scatter": self.devices - 1,
            "collective-permute": 1.0,
        }
        return self.bytes * factors.get(self.kind, others)


def read_collectives(hlo: str, devices: int) -> list[Collective]:
    """The collectives of a compiled program, each channel once and each number type of it apart.

    Args:
      hlo: the program's text. One operation stands in it many times, with the same channel.
      devices: that the program runs on.

    Returns:
      Them in the order of the text. What is in a loop counts once.

    Example:
      >>> read_collectives("%a = f32[4,2]{1,0} all-reduce(%x), channel_id=1, replica_groups={}", 8)
      [Collective(kind='all-reduce', dtype='float32', bytes=32, devices=8)]
    """
    found: list[Collective] = []
    seen = set()
    for line in hlo.splitlines():
        match, channel = _COLLECTIVE.search(line), _CHANNEL.search(line)
        if match is None or channel is None or channel[1] in seen:
            continue
        seen.add(channel[1])
        arrays = _ARRAY.findall(match["result"])
        if match["start"] and match["kind"] == "all-gather":
            arrays = arrays[len(arrays) // 2 :]  # before them stand the arguments
        elif match["start"] and match["kind"] == "collective-permute":
            arrays = arrays[1:2]  # behind it stand numbers of its own
        sizes: Counter[str] = Counter()
        for dtype, shape in arrays:
            name, size = TYPES[dtype]
            sizes[name] += size * math.prod(int(side) for side in shape.split(",") if side)
        group = _group(line) or devices
        found += [Collective(match["kind"], dtype, size, group) for dtype, size in sizes.items()]
    return found


def _group(line: str) -> int | None:
    """The devices of a group of a collective, of the three ways in which XLA writes them."""
    if match := re.search(r"replica_groups=\{\{([\d,]+)\}", line):
        return match[1].count(",") + 1
    if match := re.search(r"replica_groups=\[\d+,(\d+)\]", line):
        return int(match[1])
    if match := re.search(r"replica_groups=mesh\[([^\]]*)\] *\{([^}]*)\}", line):
        sides = dict(re.findall(r"'(\w+)'=(\d+)", match[1]))
        return math.prod(int(sides[name]) for name in re.findall(r"'(\w+)'", match[2]))
    return None


def count_products(program: Jaxpr) -> Counter[str]:
    """The FLOPs of all matrix products of a traced program, loops as often as they run.

    Args:
      program: of all devices together, as `jax.jit(f).trace(...)` has it.

    Returns:
      FLOPs by the rate of a `Chip` that they run at: "bfloat16", "float32" or "exact". A loop
      whose length only its data decide counts once, and of branches the smallest.
    """
    flops: Counter[str] = Counter()
    for step in program.eqns:
        if step.primitive.name == "dot_general":
            flops[_rate(step)] += _flops(step)
        elif step.primitive.name == "cond":
            branches = [count_products(branch.jaxpr) for branch in step.params["branches"]]
            flops += min(branches, key=lambda branch: branch.total())
        else:
            times = step.params["length"] if step.primitive.name == "scan" else 1
            for inner in _programs_in(step.params.values()):
                counted = count_products(inner)
                flops += Counter({rate: times * count for rate, count in counted.items()})
    return flops


def _programs_in(values: Sequence[Any]) -> Iterator[Jaxpr]:
    """The programs among the parameters of a step."""
    for value in values:
        if isinstance(value, ClosedJaxpr | Jaxpr):
            yield value.jaxpr if isinstance(value, ClosedJaxpr) else value
        elif isinstance(value, list | tuple):
            yield from _programs_in(value)


def _flops(product: JaxprEqn) -> int:
    (left, _), _ = product.params["dimension_numbers"]
    contracted = math.prod(product.invars[0].aval.shape[side] for side in left)
    return 2 * contracted * math.prod(product.outvars[0].aval.shape)


def _rate(product: JaxprEqn) -> str:
    if all(x.aval.dtype.itemsize < 4 for x in product.invars):
        return "bfloat16"
    precision = product.params["precision"]
    both = precision if isinstance(precision, tuple) else (precision,)
    return "exact" if jax.lax.Precision.HIGHEST in both else "float32"


class Bound(NamedTuple):
    """What a step takes at least, in seconds, and what it takes for each of three reasons."""

    products: float
    memory: float
    interconnect: float

    @property
    def seconds(self) -> float:
        """The largest of them: no run is faster."""
        return max(self)

    @property
    def binds(self) -> str:
        """Its name."""
        return self._fields[self.index(max(self))]


def lower_bound(
    chip: Chip,
    *,
    products: Mapping[str, float],
    moved: float,
    collectives: Sequence[Collective],
) -> Bound:
    """The roofline of a step.

    Args:
      chip: each device.
      products: FLOPs of a device by rate, as of `count_products`.
      moved: bytes that a device reads or writes at least: arguments and results, each once.
      collectives: of the program.

    Returns:
      The Bound.

    Example:
      >>> from softnce_jax.train.topologies import CHIPS
      >>> bound = lower_bound(CHIPS["v5e"], products={"bfloat16": 197e12}, moved=8.19e9,
      ...                     collectives=[])
      >>> bound.seconds, bound.binds, bound.memory
      (1.0, 'products', 0.01)
    """
    return Bound(
        products=sum(flops / getattr(chip, rate) for rate, flops in products.items()),
        memory=moved / chip.bandwidth,
        interconnect=sum(collective.sent for collective in collectives) / chip.links,
    )


def needed_bytes(message: str, arguments: int) -> int | None:
    """The memory that a program would need, of the error of a compiler that it is too much for.

    Args:
      message: the error's.
      arguments: bytes of the program's arguments, which a message on temporaries leaves out.

    Returns:
      Bytes on a device; None for an error of another kind.

    Example:
      >>> needed_bytes("RESOURCE_EXHAUSTED: the memory required (1.5G) exceeds 1.0G", 7) / 2**30
      1.5
      >>> needed_bytes("INTERNAL: no such layout", 7)
    """
    if "RESOURCE_EXHAUSTED" not in message or (match := _TOO_LARGE.search(message)) is None:
        return None
    said = float(match["number"]) * 2 ** UNITS[match["unit"]]
    return round(said) + arguments * ("temporaries" in match["part"])
