"""Collectives read off a text with known content, and off programs that XLA split over four devices."""

import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp

from imaginax.runtime.export import executable
from imaginax.runtime.export.executable import Collective

# The forms that occur: XLA's note on a loop's length, a bare condition, no condition to read, an
# asynchronous pair, tuples, a branch, a collective inside of a called computation.
TEXT = """HloModule jit_f, is_scheduled=true

%add (x: f32[], y: f32[]) -> f32[] {
  ROOT %sum = f32[] add(%x, %y)
}

%inner.body (p: (s32[], f32[4,8])) -> (s32[], f32[4,8]) {
  %all-reduce.1 = f32[4,8]{1,0:T(8,128)S(1)} all-reduce(%gte), channel_id=1, to_apply=%add
  ROOT %t = (s32[], f32[4,8]{1,0}) tuple(%i, %all-reduce.1)
}

%inner.condition (p: (s32[], f32[4,8])) -> pred[] {
  %limit = s32[]{:T(128)} constant(7)
  ROOT %lt = pred[] compare(%i, %limit), direction=LT
}

%outer.body (p: (s32[], f32[4,8])) -> (s32[], f32[4,8]) {
  %while.1 = (s32[], f32[4,8]) while(%t), condition=%inner.condition, body=%inner.body
  %all-gather-start = (bf16[4,8], bf16[16,8]) all-gather-start(%x), dimensions={0}
  %all-gather-done = bf16[16,8]{1,0} all-gather-done(%all-gather-start)
  ROOT %t = (s32[], f32[4,8]{1,0}) tuple(%i, %y)
}

%outer.condition (p: (s32[], f32[4,8])) -> pred[] {
  ROOT %lt = pred[] compare(%i, %n), direction=LT
}

%open.body (p: (s32[], f32[4,8])) -> (s32[], f32[4,8]) {
  %all-reduce.2 = (f32[3]{0}, pred[5]{0}) all-reduce(%a, %b), channel_id=2, to_apply=%add
}

%branch (p: f32[2]) -> f32[2] {
  ROOT %permute = u8[2]{0} collective-permute(%p), source_target_pairs={{0,1}}
}

ENTRY %main (p: f32[4,8]) -> f32[4,8] {
  %while.2 = (s32[], f32[4,8]) while(%t), condition=%outer.condition, body=%outer.body, \
backend_config={"known_trip_count":{"n":"5"},"known_init_step":{"init":"0","step":"1"}}
  %while.3 = (s32[], f32[4,8]) while(%t), condition=%outer.condition, body=%open.body
  ROOT %c = f32[2]{0} conditional(%i, %a, %b), branch_computations={%branch, %add}
}
"""


def test_a_text_with_known_content():
    reduced = Collective(2, in_loops=2, bytes=128 + 17, runs=36, bytes_run=35 * 128 + 17, open_loops=1)
    assert executable.collectives(TEXT) == {
        "all-reduce": reduced,
        "all-gather": Collective(1, in_loops=1, bytes=256, runs=5, bytes_run=5 * 256),
        "collective-permute": Collective(1, bytes=2, runs=1, bytes_run=2),
    }


PROGRAM = """
import json, jax, jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from imaginax.runtime.export import executable

mesh = jax.make_mesh((4,), ("data",), axis_types=(AxisType.Auto,))
whole, rows = NamedSharding(mesh, P()), NamedSharding(mesh, P("data"))

def descend(w, x):
    def step(w, _):
        return w - jax.grad(lambda w: jnp.mean((x @ w) ** 2))(w), None
    return jax.lax.scan(step, w, length=9)[0]

w = jax.ShapeDtypeStruct((8, 16), jnp.float32, sharding=whole)
x = jax.ShapeDtypeStruct((64, 8), jnp.float32, sharding=rows)
apart = jax.jit(jnp.tanh).lower(x).compile()
together = jax.jit(descend, out_shardings=whole).lower(w, x).compile()
print(json.dumps([executable.collectives(made.as_text()) for made in (apart, together)]))
"""


def test_a_data_parallel_gradient_is_added_up_in_each_step():
    flags = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=flags, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    apart, together = json.loads(done.stdout)
    gradient = 4 * 8 * 16
    assert apart == {}
    assert list(together) == ["all-reduce"]
    assert Collective(*together["all-reduce"]) == (1, 1, gradient, 9, 9 * gradient, 0)


def test_a_donated_state_counts_once():
    big = jax.ShapeDtypeStruct((1000, 250), jnp.float32)
    kept = executable.footprint(jax.jit(jnp.tanh).lower(big).compile())
    given = executable.footprint(jax.jit(jnp.tanh, donate_argnums=0).lower(big).compile())
    assert (kept.arguments, kept.results) == (10**6, 10**6)
    assert (given.arguments, given.results) == (10**6, 0)
    assert given.total == 10**6 + given.temporaries + given.code
