"""Plans by the compilers of TPUs and GPUs themselves; no exact bytes, which change with them."""

from __future__ import annotations

import dataclasses
import importlib.util

import jax
import jax.numpy as jnp
import pytest
from transformers import RobertaConfig

from softnce_jax.errors import InputError
from softnce_jax.mesh import make_mesh, replicated
from softnce_jax.pretrained.static import write_static
from softnce_jax.train.config import Config
from softnce_jax.train.plan import Planner
from softnce_jax.train.topologies import described_devices, parse_topology
from tests.small_static import small_static
from tests.train.corpus import write_encoder, write_tasks

pytestmark = [
    pytest.mark.tpu,
    pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="libtpu is missing"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    described_devices(parse_topology("v5e-4"))  # before anything else asks jax for devices
    folder = tmp_path_factory.mktemp("plan")
    write_encoder(folder / "encoder", write_tasks(folder / "tasks"))
    write_static(folder / "static", small_static(["read a file line by line"] * 2))
    return folder


def planner_of(folder, name: str, *, encoder="encoder", **options) -> Planner:
    given = {"lang": "python", "data": f"{folder / 'tasks'}", "encoder": f"{folder / encoder}"}
    return Planner(Config(**given, batch_size=24, **options), parse_topology(name))


def widen(planner: Planner) -> None:
    """Makes the network wider: XLA for GPUs fails on products of 16 columns."""
    encoder = planner.encoder
    sizes = {"hidden_size": 128, "intermediate_size": 256}
    config = RobertaConfig(**encoder.config.to_dict() | sizes)
    planner.encoder = dataclasses.replace(encoder, module=encoder.module.clone(config=config))
    planner.params = jax.eval_shape(planner.encoder.init, jax.random.key(0))


@pytest.mark.parametrize(
    ("name", "devices", "options"),
    [
        ("v5e-4", 4, {}),
        ("v4-8", 4, {"loss": "infonce", "precision": "bfloat16", "scale": "learned"}),
        ("2*v6e-4", 8, {"encoder": "static"}),
        ("h100:2x2", 4, {"precision": "bfloat16", "attention_dropout": "off"}),
    ],
)
def test_a_step_compiles(name, devices, options, folder):
    planner = planner_of(folder, name, **options)
    assert planner.mesh.size == devices
    if planner.topology.is_gpu:
        widen(planner)
    program = planner.compile(planner.config)
    memory = program.memory
    assert program.fits and memory.state + memory.batch <= memory.peak < 2**28
    assert {"all-reduce"} <= {each.kind for each in program.collectives}
    # The gradients of the parameters cross the devices, in half precision at least; those of
    # the pooler, which is not used, do not.
    crossing = sum(x.bytes for x in program.collectives if x.kind == "all-reduce")
    assert memory.parameters / 3 <= crossing
    assert program.bound.seconds > 0
    expected = "bfloat16" if options.get("precision") else "float32"
    if options.get("encoder") != "static":
        assert max(program.products, key=program.products.get) == expected


def test_slices_take_less(folder):
    planner = planner_of(folder, "v5e-1")
    config = dataclasses.replace(planner.config, layout="padded")
    whole = planner.compile(config)
    slices = planner.compile(dataclasses.replace(config, micro_batch=3))
    assert slices.memory.peak < whole.memory.peak
    assert slices.memory.state == whole.memory.state


def test_what_is_too_large_is_measured(folder):
    planner = planner_of(folder, "v5e-4")
    x = jax.ShapeDtypeStruct((65536, 65536), jnp.float32, sharding=replicated(planner.mesh))
    traced = jax.jit(lambda x: jnp.tanh(x @ x.T) @ x).trace(x)
    assert planner._finish(traced, 2**34) > planner.topology.chip.memory


def test_a_shape_that_there_is_not(folder):
    with pytest.raises(InputError, match=r"v5e:3x3: .*not divisible"):
        described_devices(parse_topology("v5e:3x3"))


@pytest.mark.parametrize("name", ["v5e-1", "v5e-8", "v5p-8", "v4-32", "v6e-256", "2*v5e-16"])
def test_topologies(name, folder):
    topology = parse_topology(name)
    assert make_mesh(described_devices(topology)).size == topology.size
