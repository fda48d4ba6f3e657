"""Every form of the convolution is the same function with the same gradients."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.networks.convolution import Convolution, convolve

SHAPES = [  # batch, height, width, inputs, outputs, size of the kernel
    pytest.param((48, 7, 6, 70, 60, 3), id="a few at a time"),
    pytest.param((7, 3, 5, 900, 40, 3), id="one at a time"),
    pytest.param((3, 2, 3, 129, 2, 3), id="many features"),
    pytest.param((32, 3, 4, 2, 5, 3), id="few-to-many"),
    pytest.param((32, 4, 3, 5, 2, 3), id="many-to-few"),
    pytest.param((5, 4, 3, 3, 3, 3), id="at once"),
    pytest.param((4, 5, 6, 2, 3, 5), id="5x5"),
    pytest.param((16, 2, 2, 4, 3, 1), id="1x1"),
]


def by_hand(x, kernel):
    """The definition, with loops."""
    size, out = kernel.shape[0], np.zeros((*x.shape[:3], kernel.shape[3]))
    padded = np.pad(x, ((0, 0), (size // 2,) * 2, (size // 2,) * 2, (0, 0)))
    for row, column in np.ndindex(x.shape[1:3]):
        patch = padded[:, row : row + size, column : column + size]
        out[:, row, column] = np.einsum("bijc,ijco->bo", patch, kernel)
    return out


def arrays(shape, *, lanes=(), dtype="float64"):
    batch, height, width, inputs, outputs, size = shape
    random = np.random.default_rng(0)
    x = random.normal(size=(*lanes, batch, height, width, inputs))
    kernel = random.normal(size=(*lanes, size, size, inputs, outputs))
    return jnp.asarray(x, dtype), jnp.asarray(kernel, dtype)


def value_and_gradients(backend):
    def value(x, kernel):
        y = convolve(x, kernel, backend)
        return jnp.sum(jnp.sin(y)), y

    return jax.value_and_grad(value, (0, 1), has_aux=True)


def assert_same(a, b, **tolerance):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, **tolerance), a, b)


@pytest.mark.parametrize("shape", SHAPES)
def test_is_the_definition_and_so_are_the_gradients(shape):
    with jax.enable_x64(True):
        x, kernel = arrays(shape)
        reference = jax.jit(value_and_gradients("xla"))(x, kernel)
        np.testing.assert_allclose(reference[0][1], by_hand(np.asarray(x), np.asarray(kernel)), atol=1e-12)
        found = jax.jit(value_and_gradients("auto"))(x, kernel)
        assert_same(found, reference, rtol=1e-10, atol=1e-10)


def test_a_batch_of_any_size_is_divided_at_once():
    x, kernel = (
        jax.ShapeDtypeStruct((10**9, 3, 3, 4), "float32"),
        jax.ShapeDtypeStruct((3, 3, 4, 8), "float32"),
    )
    began = time.monotonic()
    assert jax.eval_shape(value_and_gradients("auto"), x, kernel)[0][1].shape == (10**9, 3, 3, 8)
    assert time.monotonic() - began < 20.0


def test_float32_agrees_to_its_precision():
    x, kernel = arrays((32, 4, 3, 5, 4, 3), dtype="float32")
    found = jax.jit(value_and_gradients("auto"))(x, kernel)
    assert_same(found, jax.jit(value_and_gradients("xla"))(x, kernel), rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize("axes", [(0, 0), (0, None), (None, 0)], ids=["both", "images", "kernels"])
def test_vmap_is_each_lane_alone(axes):
    """Also where several seeds train at once, each with weights of its own."""
    x, kernel = arrays((32, 3, 4, 2, 5, 3), lanes=(2,), dtype="float32")
    x, kernel = (array if axis == 0 else array[0] for array, axis in zip((x, kernel), axes, strict=True))
    found = jax.jit(jax.vmap(value_and_gradients("auto"), axes))(x, kernel)
    reference = jax.jit(value_and_gradients("xla"))
    for lane in range(2):
        mine = (array if axis is None else array[lane] for array, axis in zip((x, kernel), axes, strict=True))
        alone = reference(*mine)
        assert_same(jax.tree.map(lambda leaf, lane=lane: leaf[lane], found), alone, rtol=1e-4, atol=2e-4)


def test_on_a_cpu_every_convolution_is_laid_out_as_xla_expects():
    """Its own weight gradient is not, and accelerators get just that."""
    x, kernel = arrays((32, 3, 4, 2, 2, 3), dtype="float32")
    traced = jax.jit(value_and_gradients("auto")).trace(x, kernel)
    expected = "[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]"
    for platform, laid_out_so in (("cpu", 3), ("cuda", 2), ("tpu", 2)):
        text = traced.lower(lowering_platforms=(platform,)).as_text()
        assert text.count("stablehlo.convolution") == 3
        assert text.count(expected) == laid_out_so


def test_several_kernels_make_no_grouped_convolution_on_a_cpu():
    x, kernel = arrays((4, 3, 4, 2, 5, 3), lanes=(3,), dtype="float32")
    traced = jax.jit(jax.vmap(value_and_gradients("auto"))).trace(x, kernel)
    text = {p: traced.lower(lowering_platforms=(p,)).as_text() for p in ("cpu", "cuda")}
    assert "feature_group_count = 3" not in text["cpu"] and "feature_group_count = 3" in text["cuda"]


def test_module_computes_in_its_type_and_keeps_float32_weights():
    layer = Convolution(features=3, bias=True, dtype=jnp.bfloat16)
    x = jnp.ones((2, 3, 3, 2))
    variables = layer.init(jax.random.key(0), x)
    assert layer.apply(variables, x).dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    shifted = jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf + 1 if path[-1].key == "bias" else leaf, variables
    )
    np.testing.assert_allclose(layer.apply(shifted, x) - layer.apply(variables, x), 1.0, atol=0.02)
