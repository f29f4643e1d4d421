"""What a program says of itself: products by hand, collectives of a text, the roofline."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import PartitionSpec

from softnce_jax.mesh import make_mesh
from softnce_jax.train.compiled import (
    Collective,
    Memory,
    count_products,
    lower_bound,
    needed_bytes,
    read_collectives,
)
from softnce_jax.train.topologies import Chip

HLO = """
HloModule jit_step, is_scheduled=true

%wrapped (p: f32[8,4]) -> f32[8,4] {
  ROOT %a.9 = f32[8,4]{1,0:T(8,128)} all-reduce(%p), channel_id=1, replica_groups=[1,8]<=[8]
}

ENTRY %main {
  %a.1 = f32[8,4]{1,0:T(8,128)S(1)} all-reduce(%x), channel_id=1, replica_groups=[1,8]<=[8]
  %b = (bf16[16]{0}, /*index=1*/f32[2,2]{1,0}) all-reduce-start(%y, %z), channel_id=2, GROUPS
  %g = (bf16[3,4]{1,0}, bf16[24,4]{1,0}) all-gather-start(%w), channel_id=3, AXES, dimensions={0}
  %p = (s32[10]{0}, s32[10]{0}, u32[], u32[]) collective-permute-start(%v), channel_id=4
  %done = f32[8,4]{1,0} all-reduce-done(%b)
  %s = f32[2]{0} reduce-scatter(%u), channel_id=5, replica_groups=[2,4]<=[8], dimensions={0}
}
""".replace("GROUPS", "replica_groups={{0,1,2,3},{4,5,6,7}}").replace(
    "AXES", "replica_groups=mesh['a'=8,'b'=1] {'a'}"
)


def test_collectives_are_counted_by_channel():
    assert read_collectives(HLO, 8) == [
        Collective("all-reduce", "float32", 8 * 4 * 4, 8),
        Collective("all-reduce", "bfloat16", 16 * 2, 4),
        Collective("all-reduce", "float32", 2 * 2 * 4, 4),
        Collective("all-gather", "bfloat16", 24 * 4 * 2, 8),
        Collective("collective-permute", "int32", 40, 8),
        Collective("reduce-scatter", "float32", 8, 4),
    ]


def test_what_a_device_sends_at_least():
    sent = {each.kind: each.sent for each in read_collectives(HLO, 8)[-3:]}
    assert sent == {
        "all-gather": 192 * 7 / 8,  # all but its own part, passed on
        "collective-permute": 40,
        "reduce-scatter": 8 * 3,  # a part for each other device
    }
    assert Collective("all-reduce", "float32", 80, 8).sent == 2 * 80 * 7 / 8
    assert Collective("all-reduce", "float32", 80, 1).sent == 0


def test_collectives_of_a_program_of_this_machine():
    """XLA's text for four devices: a sum of gradients, in float32 as a bfloat16 one."""
    mesh = make_mesh(jax.devices()[:4])
    rows = jax.NamedSharding(mesh, PartitionSpec("data"))
    whole = jax.NamedSharding(mesh, PartitionSpec())
    x = jax.ShapeDtypeStruct((8, 6), jnp.float32, sharding=rows)
    total = jax.jit(lambda x: x.sum(axis=0), out_shardings=whole).lower(x).compile()
    assert read_collectives(total.as_text(), 4) == [Collective("all-reduce", "float32", 24, 4)]
    alone = jax.jit(lambda x: x.sum(axis=1)).lower(x).compile()  # the control
    assert read_collectives(alone.as_text(), 4) == []


def products(function, *shapes, dtype=jnp.float32):
    given = [jax.ShapeDtypeStruct(shape, dtype) for shape in shapes]
    return dict(count_products(jax.make_jaxpr(function)(*given).jaxpr))


def test_products_by_hand():
    assert products(jnp.matmul, (3, 5), (5, 7)) == {"float32": 2 * 3 * 5 * 7}
    assert products(jnp.matmul, (3, 5), (5, 7), dtype=jnp.bfloat16) == {"bfloat16": 2 * 3 * 5 * 7}
    exact = lambda a, b: jnp.matmul(a, b, precision="highest")
    assert products(exact, (3, 5), (5, 7)) == {"exact": 2 * 3 * 5 * 7}
    batched = lambda a, b: jnp.einsum("bqd,bkd->bqk", a, b)
    assert products(batched, (2, 3, 5), (2, 7, 5)) == {"float32": 2 * 2 * 3 * 5 * 7}
    assert products(jnp.add, (3, 5), (3, 5)) == {}


def test_products_of_loops_gradients_and_branches():
    one = 2 * 4**3

    def loop(a):
        return jax.lax.scan(lambda x, _: (x @ a, None), a, length=5)[0]

    assert products(loop, (4, 4)) == {"float32": 5 * one}
    # Each step's gradient has two products more, and one again if it is recomputed.
    gradient = jax.grad(lambda a: jnp.sum(loop(a)))
    assert products(gradient, (4, 4)) == {"float32": 15 * one}
    again = jax.grad(lambda a: jnp.sum(jax.jit(jax.checkpoint(lambda a: jnp.tanh(a @ a) @ a))(a)))
    assert products(again, (4, 4))["float32"] >= 7 * one
    branch = lambda a: jax.lax.cond(a[0, 0] > 0, lambda: a @ a, lambda: a @ a @ a)
    assert products(branch, (4, 4)) == {"float32": one}


CHIP = Chip(memory=1e9, bfloat16=100.0, float32=50.0, exact=10.0, bandwidth=20.0, links=4.0)
SENT = [Collective("collective-permute", "float32", 8, 2)]


@pytest.mark.parametrize(
    ("flops", "moved", "sent", "seconds", "binds"),
    [
        ({"bfloat16": 100, "float32": 100, "exact": 30}, 20, [], 1 + 2 + 3, "products"),
        ({"bfloat16": 100}, 60, SENT, 3, "memory"),
        ({"bfloat16": 100}, 20, SENT, 2, "interconnect"),
        ({}, 0, [], 0, "products"),
    ],
)
def test_the_roofline(flops, moved, sent, seconds, binds):
    bound = lower_bound(CHIP, products=flops, moved=moved, collectives=sent)
    assert (bound.seconds, bound.binds) == (pytest.approx(seconds), binds)


@pytest.mark.parametrize(
    ("message", "needed"),
    [
        ("RESOURCE_EXHAUSTED: Ran out of memory on HBM, the total memory required for program "
         "(17.49G) exceeds available HBM (15.75G).", round(17.49 * 2**30)),
        ("RESOURCE_EXHAUSTED: the total memory required for HLO temporaries (512.00M) exceeds "
         "available HBM", 2**29 + 1000),
        ("RESOURCE_EXHAUSTED: the total memory required (3) exceeds", 3),
        ("RESOURCE_EXHAUSTED: out of handles", None),
        ("INTERNAL: memory required (3G)", None),
    ],
)  # fmt: skip
def test_the_memory_that_would_be_needed(message, needed):
    assert needed_bytes(message, 1000) == needed


def test_the_state_is_parameters_and_moments():
    assert Memory(parameters=4, optimizer=8, batch=1, temporaries=2, peak=15).state == 12
