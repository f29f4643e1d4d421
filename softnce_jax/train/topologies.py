"""Devices that are described, not attached: what their compiler needs, and what they can do."""

from __future__ import annotations

import difflib
import importlib.util
import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from softnce_jax.errors import InputError, first_line

if TYPE_CHECKING:
    import jax


class Chip(NamedTuple):
    """One device, as its maker describes it.

    Attributes:
      memory: bytes that a program may use.
      bfloat16: products a second, in FLOP/s, of half-precision numbers.
      float32: of float32 numbers at jax's default precision, which is one pass of bfloat16 on TPUs
        and TF32 on GPUs.
      exact: of float32 numbers at the highest precision.
      bandwidth: of the memory, bytes a second.
      links: bytes a second that it can send to other chips, over all its links.
    """

    memory: float
    bfloat16: float
    float32: float
    exact: float
    bandwidth: float
    links: float


def _tpu(memory: float, bfloat16: float, bandwidth: float, links: float) -> Chip:
    # The highest precision takes six passes of bfloat16.
    tera = 1e12 * bfloat16
    return Chip(memory * 2**30, tera, tera, tera / 6, 1e9 * bandwidth, 1e9 * links)


GPU_MEMORY = 84_942_979_072  # of an H100 of 80 GB, bytes, as its driver counts them
GPU_SHARE = 0.75  # of it jax takes at its start, unless XLA_PYTHON_CLIENT_MEM_FRACTION says more

# Rates and bandwidths: the system architecture pages of Google Cloud's TPU documentation (v4, v5e,
# v5p, v6e) and NVIDIA's H100 data sheet (SXM, without sparsity), read in November 2026. Memory of
# TPUs: what libtpu says is available; the documentation has 32, 16, 95 and 32 GB.
CHIPS = {
    "v4": _tpu(30.75, 275, 1200, 6 * 45),
    "v5e": _tpu(15.75, 197, 819, 4 * 45),
    "v5p": _tpu(95, 459, 2765, 6 * 90),
    "v6e": _tpu(31.25, 918, 1638, 4 * 90),
    "h100": Chip(GPU_MEMORY * GPU_SHARE, 989e12, 494.5e12, 67e12, 3.35e12, 450e9),
}

# The shape of each slice that can be had, by its number of chips.
FLAT = {1: "1x1", 4: "2x2", 8: "2x4", 16: "4x4", 32: "4x8", 64: "8x8", 128: "8x16", 256: "16x16"}
CUBES = {4: "2x2x1", 8: "2x2x2", 16: "2x2x4", 32: "2x4x4", 64: "4x4x4", 128: "4x4x8"}
# Names of v4 and v5p count cores, two a chip.
SLICES = {
    **{f"{name}-{n}": ("v5e", FLAT[n]) for name in ("v5e", "v5litepod") for n in FLAT},
    **{f"v6e-{n}": ("v6e", FLAT[n]) for n in FLAT},
    **{f"{name}-{2 * n}": (name, CUBES[n]) for name in ("v4", "v5p") for n in CUBES},
}
SIDES = {"v5e": (2,), "v6e": (2,), "v4": (3,), "v5p": (3,), "h100": (1, 2)}  # of a shape
HOST_GPUS = 8

# What XLA wants to know of a GPU, in the text form of its protocol buffer.
H100 = f"""
gpu_device_info {{
  threads_per_block_limit: 1024 threads_per_warp: 32 threads_per_core_limit: 2048
  shared_memory_per_block: 49152 shared_memory_per_core: 233472
  shared_memory_per_block_optin: 232448 core_count: 132 fpus_per_core: 128
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  registers_per_core_limit: 65536 registers_per_block_limit: 65536
  memory_bandwidth: 3352320000000 l2_cache_size: 52428800 clock_rate_ghz: 1.98
  device_memory_size: {GPU_MEMORY} cuda_compute_capability {{ major: 9 minor: 0 }}
}}
platform_name: "CUDA" device_description_str: "NVIDIA H100 80GB HBM3"
dnn_version_info {{ major: 9 minor: 8 patch: 0 }}
"""

# The compilers' own variables, where nobody has set them.
VARIABLES = {
    "TPU_SKIP_MDS_QUERY": "1",  # asks no server of Google's which TPU this is
    "TPU_WORKER_HOSTNAMES": "localhost",  # these two it would complain of
    "TPU_ACCELERATOR_TYPE": "v5litepod-8",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",  # a training that runs here may go on
    "JAX_SKIP_CUDA_CONSTRAINTS_CHECK": "1",  # there may be no driver
}


class Topology(NamedTuple):
    """Devices by their kind and number.

    Attributes:
      name: as it was typed.
      kind: a key of CHIPS.
      shape: of a slice of TPUs as libtpu names it, "4x4"; of GPUs hosts and those of each, "2x8".
      slices: that are joined by a network between them, 1 for one.
    """

    name: str
    kind: str
    shape: str
    slices: int = 1

    @property
    def size(self) -> int:
        """The number of devices."""
        size = self.slices
        for side in self.shape.split("x"):
            size *= int(side)
        return size

    @property
    def chip(self) -> Chip:
        """Each of them."""
        return CHIPS[self.kind]

    @property
    def is_gpu(self) -> bool:
        """Whether its programs are compiled by XLA for CUDA, instead of by libtpu."""
        return self.kind == "h100"


def parse_topology(text: str) -> Topology:
    """The devices that `--topology` names.

    Args:
      text: a TPU slice under the name that it is rented by or under its shape, or GPUs; before
        either, the number of slices and `*`.

    Returns:
      The Topology.

    Raises:
      InputError: no such name, with the nearest ones.

    Example:
      >>> parse_topology("v5litepod-16").shape, parse_topology("2*v4-16").size
      ('4x4', 16)
      >>> parse_topology("h100:2x8")
      Topology(name='h100:2x8', kind='h100', shape='2x8', slices=1)
      >>> parse_topology("v5e-15")
      Traceback (most recent call last):
      ...
      softnce_jax.errors.InputError: --topology v5e-15: no such slice; the nearest: v5e-1, ...
    """
    slices, name = re.fullmatch(r"(?:([1-9][0-9]{0,2})\*)?(.*)", text, re.DOTALL).groups()
    slices = int(slices or 1)
    if name in SLICES:
        return Topology(text, *SLICES[name], slices)
    kind, _, shape = name.partition(":")
    sides = SIDES.get(kind, ())
    if len(shape.split("x")) in sides and re.fullmatch(r"[1-9][0-9]{0,2}(x[1-9][0-9]?)*", shape):
        topology = Topology(text, kind, shape, slices)
        return _hosts(topology) if topology.is_gpu else topology
    known = [*SLICES, "v5e:4x4", "v6e:4x4", "v4:2x2x1", "v5p:2x2x1", "h100:8", "h100:2x8"]
    nearest = difflib.get_close_matches(name, known, n=3, cutoff=0)
    raise InputError(f"--topology {text}: no such slice; the nearest: {', '.join(nearest)}")


def _hosts(gpus: Topology) -> Topology:
    """GPUs as hosts by those of each; a number alone is one host's."""
    shape = gpus.shape if "x" in gpus.shape else f"1x{gpus.shape}"
    hosts, each = map(int, shape.split("x"))
    if each > HOST_GPUS:
        raise InputError(
            f"--topology {gpus.name}: {each} GPUs in a host, which has {HOST_GPUS} at most: "
            f"h100:2x{HOST_GPUS} are two hosts"
        )
    if gpus.slices > 1:
        raise InputError(
            f"--topology {gpus.name}: GPUs have no slices: h100:{gpus.slices * hosts}x{each}"
        )
    return gpus._replace(shape=shape)


def check_compiler(topology: Topology) -> None:
    """Raises InputError where the compiler of a topology is not installed."""
    device, module, packages = "TPU", "libtpu", "libtpu"
    if topology.is_gpu:
        device, module = "GPU", "jax_plugins.xla_cuda12"
        packages = "jax-cuda12-plugin jax-cuda12-pjrt nvidia-cuda-nvcc-cu12"
    if not _is_installed(module):
        raise InputError(
            f"--topology {topology.name}: its compiler is not installed: pip install {packages} "
            f"(no {device} is needed; requirements-tpu.txt has the versions)"
        )


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it is missing
        return False


def described_devices(topology: Topology) -> Sequence[jax.Device]:
    """The devices of a topology, to compile for; jax uses the CPU for all else.

    Args:
      topology: to describe.

    Raises:
      InputError: its compiler is not installed, is held by another process or refuses the shape.
    """
    check_compiler(topology)
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)
    import jax
    from jax.experimental import topologies

    jax.config.update("jax_platforms", "cpu")
    try:
        return topologies.get_topology_desc(**_description(topology)).devices
    except Exception as error:  # of several classes, from two plugins
        reason = first_line(error)
        if "lockfile" in f"{error}":
            reason = "libtpu is held by another process; wait for it, or end it"
        raise InputError(f"--topology {topology.name}: {reason}") from error


def _description(topology: Topology) -> dict:
    """What jax wants to know of a topology."""
    if topology.is_gpu:
        layout = {"topology": f"1x{topology.shape}", "target_config": H100}
        return {"platform": "cuda", "topology_name": "", **layout}
    options = {"num_slices": topology.slices} if topology.slices > 1 else {}
    if topology.kind == "v4":  # two cores are one device
        options["chip_config_name"] = "megacore"
    hosts = {"1x1": (1, 1, 1), "2x4": (2, 4, 1)}  # these two are a machine of their own
    if topology.shape in hosts:
        options["chips_per_host_bounds"] = hosts[topology.shape]
    return {
        "platform": "tpu",
        "topology_name": f"{topology.kind}:{topology.shape}",
        **options,
    }
