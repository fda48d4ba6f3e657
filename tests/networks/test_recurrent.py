"""The GRU against Flax's, whose weights are the same in other places."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from imaginax.networks.recurrent import GRU


def test_is_the_gru_of_flax():
    h, x = jax.random.normal(jax.random.key(0), (3, 5)), jax.random.normal(jax.random.key(1), (3, 4))
    theirs = nn.GRUCell(5)
    params = theirs.init(jax.random.key(2), h, x)["params"]
    params = jax.tree.map(lambda w: w + 0.1 * jax.random.normal(jax.random.key(3), w.shape), params)
    zero = jnp.zeros(5)
    ours = {
        "input": {
            "kernel": jnp.concatenate([params[f"i{gate}"]["kernel"] for gate in "rzn"], axis=1),
            "bias": jnp.concatenate([params[f"i{gate}"]["bias"] for gate in "rzn"]),
        },
        "state": {
            "kernel": jnp.concatenate([params[f"h{gate}"]["kernel"] for gate in "rzn"], axis=1),
            "bias": jnp.concatenate([zero, zero, params["hn"]["bias"]]),  # Flax has no other bias here
        },
    }
    expected = theirs.apply({"params": params}, h, x)[0]
    np.testing.assert_allclose(GRU(5).apply({"params": ours}, h, x), expected, rtol=1e-5, atol=1e-6)
