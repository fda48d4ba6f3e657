from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from imaginax.runtime import profile
from imaginax.runtime.compilation import compiled
from imaginax.runtime.profile import Event

TEXT = """HloModule jit_f
ENTRY %main {
  %fusion.1 = f32[8]{0} fusion(%a), calls=%c, metadata={op_name="jit(f)/act/while/body/vmap(network)/tanh"}
  ROOT %dot.2 = f32[8]{0} dot(%a, %b), metadata={op_name="jit(f)/learn/transpose(jvp(network))/dot" id=3}
  %copy.3 = f32[8]{0} copy(%a)
}
"""


def test_time_is_summed_by_scope_and_gaps_are_idle():
    """Kernels of a GPU are called as the instruction, with characters that a symbol may have."""
    events = [Event("fusion_1", 1.0, 2.0), Event("dot.2", 2.0, 4.0), Event("copy.3", 7.0, 0.5)]
    events += [Event("fusion.1", 8.0, 1.0)]
    costs = profile.by_scope(TEXT, events, ("act", "learn", "network"))
    assert costs.scopes == {"learn/network": 4.0, "act/network": 3.0, "": 0.5}
    assert list(costs.scopes) == ["learn/network", "act/network", ""], "the longest first"
    assert costs.instructions == {"act/network": 2, "learn/network": 1, "": 1}
    assert (costs.wall, costs.idle) == (8.0, 1.5)
    assert costs.unplaced == {"copy": (0.5, 1)}


def test_a_real_profile_finds_the_scope_that_takes_the_time():
    """Sorting beside a change of sign; a compiler does not merge the two."""

    def step(x, _):
        with jax.named_scope("heavy"):
            x = jnp.sort(x)
        with jax.named_scope("light"):
            return -x, None

    x = jnp.ones((512, 512))
    program = compiled(lambda x: jax.lax.scan(step, x, length=5)[0], x)
    costs = profile.profile(program.call.as_text(), lambda: program.call(x), ("heavy", "light"))
    assert costs.instructions["heavy"] >= 5, "every turn of the loop counts"
    assert costs.scopes["heavy"] > costs.scopes["light"] > 0
    assert sum(costs.scopes.values()) == pytest.approx(costs.wall - costs.idle, rel=0.5)
