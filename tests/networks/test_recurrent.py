"""The GRU against Flax's, whose weights are the same in other places; that of DreamerV2 against NumPy."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from imaginax.networks.recurrent import GRU, LayerNormGRU


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


def test_the_gru_of_dreamerv2_by_hand():
    h, x = np.random.default_rng(0).normal(size=(2, 4)), np.random.default_rng(1).normal(size=(2, 3))
    cell = LayerNormGRU(4)
    params = cell.init(jax.random.key(0), jnp.asarray(h), jnp.asarray(x))["params"]
    params = jax.tree.map(lambda w: w + 0.3 * jax.random.normal(jax.random.key(1), w.shape), params)
    given = jnp.asarray(h, "float32"), jnp.asarray(x, "float32")
    found = cell.apply({"params": params}, *given)
    dense, norm = (jax.tree.map(np.asarray, params[name]) for name in ("gates", "norm"))
    gates = np.concatenate([x, h], axis=1) @ dense["kernel"] + dense["bias"]
    gates = (gates - gates.mean(1, keepdims=True)) / np.sqrt(gates.var(1, keepdims=True) + 1e-3)
    reset, candidate, update = np.split(gates * norm["scale"] + norm["bias"], 3, axis=1)
    sigmoid = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731
    update = sigmoid(update - 1)
    expected = update * np.tanh(sigmoid(reset) * candidate) + (1 - update) * h
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
