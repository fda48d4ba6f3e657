"""Both forms of the ensemble's forward pass are the same function, and so are their gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.networks import ensemble
from imaginax.networks.ensemble import EnsembleMLP, Layer


@pytest.fixture(scope="module")
def layers():
    keys = iter(jax.random.split(jax.random.key(0), 20))
    sizes = [(6, 16), (16, 12), (12, 8)]
    return [
        Layer(jax.random.normal(next(keys), (3, i, o)) / i**0.5, jax.random.normal(next(keys), (3, 1, o)))
        for i, o in sizes
    ]


@pytest.mark.parametrize("rows", [ensemble.MANY_ROWS - 1, ensemble.MANY_ROWS])
def test_forms_agree_in_value_and_gradient(layers, rows):
    x = jax.random.normal(jax.random.key(1), (3, rows, 6))

    def value(form):
        return jax.jit(jax.value_and_grad(lambda layers: jnp.sum(jnp.sin(form(layers, x)))))(layers)

    reference = value(ensemble.forward_at_once)
    for form in (ensemble.forward_one_by_one, ensemble.forward):
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), value(form), reference
        )


def test_the_fast_form_is_the_one_that_a_cpu_gets(layers):
    """A CPU program holds no batched product for many rows; the others' program does."""
    x = jnp.zeros((3, ensemble.MANY_ROWS, 6))
    text = {
        platform: jax.jit(ensemble.forward).trace(layers, x).lower(lowering_platforms=(platform,)).as_text()
        for platform in ("cpu", "cuda")
    }
    assert "batching_dims = [0]" not in text["cpu"] and "batching_dims = [0]" in text["cuda"]


def test_members_do_not_see_each_other():
    network = EnsembleMLP(members=3, hidden=(8,), outputs=2)
    x = jax.random.normal(jax.random.key(0), (3, 5, 4))
    variables = network.init(jax.random.key(1), x)
    mean, _, _ = network.apply(variables, x)
    other, _, _ = network.apply(variables, x.at[0].set(9.0))
    np.testing.assert_array_equal(mean[1:], other[1:])
    assert not np.allclose(mean[0], other[0])
