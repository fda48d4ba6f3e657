"""Strided and transposed convolutions against XLA's own, with their gradients, in every form."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from imaginax.networks.images import KERNELS, Decoder, Encoder, check_size
from imaginax.networks.strided import convolve_down, convolve_up
from imaginax.types import ConfigError

LAYOUT = ("NHWC", "HWIO", "NHWC")


def down(x, kernel):
    return lax.conv_general_dilated(x, kernel, (2, 2), "VALID", dimension_numbers=LAYOUT)


def up(x, kernel):
    """The definition: the transpose of a convolution with stride 2."""
    size = kernel.shape[0]
    shape = (len(x), 2 * (x.shape[1] - 1) + size, 2 * (x.shape[2] - 1) + size, kernel.shape[3])
    turned = kernel.swapaxes(2, 3)
    return jax.linear_transpose(lambda y: down(y, turned), jax.ShapeDtypeStruct(shape, x.dtype))(x)[0]


CASES = [
    pytest.param(convolve_down, down, (48, 9, 12, 3), (4, 4, 3, 5), id="down, odd height"),
    pytest.param(convolve_down, down, (5, 6, 6, 7), (2, 2, 7, 2), id="down, 2x2"),
    pytest.param(convolve_down, down, (16, 14, 14, 40), (4, 4, 40, 8), id="down, in chunks"),
    pytest.param(convolve_up, up, (3, 1, 1, 6), (5, 5, 6, 4), id="up from one square"),
    pytest.param(convolve_up, up, (16, 5, 4, 6), (5, 5, 6, 4), id="up, odd kernel"),
    pytest.param(convolve_up, up, (16, 4, 5, 3), (6, 6, 3, 4), id="up, even kernel"),
    pytest.param(convolve_up, up, (12, 8, 8, 64), (4, 4, 64, 16), id="up, in chunks"),
    pytest.param(convolve_up, up, (2, 3, 3, 129), (4, 4, 129, 2), id="up, many features"),
]


@pytest.mark.parametrize(("form", "definition", "shape", "kernel_shape"), CASES)
def test_is_the_definition_and_so_are_the_gradients(form, definition, shape, kernel_shape):
    with jax.enable_x64(True):
        random = np.random.default_rng(0)
        x, kernel = random.normal(size=shape), random.normal(size=kernel_shape)
        expected = value_and_gradients(definition)(x, kernel)
        for backend in ("xla", "auto"):
            found = value_and_gradients(functools.partial(form, backend=backend))(x, kernel)
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9), found, expected)


def value_and_gradients(form):
    def total(x, kernel):
        y = form(x, kernel)
        return jnp.sum(jnp.sin(y)), y

    return jax.jit(jax.value_and_grad(total, (0, 1), has_aux=True))


@pytest.mark.parametrize("size", KERNELS)
def test_encoder_and_decoder_have_the_sizes_of_the_papers(size):
    """64x64: 2 x 2 x 256 = 1024 numbers in, and out of 5, 13, 30 and 64 squares."""
    images = jnp.zeros((2, 3, size, size, 3))
    encoder, decoder = Encoder(depth=4), Decoder(size, depth=4)
    embedded, params = jax.eval_shape(lambda: encoder.init_with_output(jax.random.key(0), images))
    assert embedded.shape == (2, 3, 4 * 4 * 2 ** (len(KERNELS[size]) - 1))
    seen = jnp.zeros((2, 3, 7))
    assert jax.eval_shape(lambda: decoder.init_with_output(jax.random.key(0), seen))[0].shape == images.shape
    kernels = [leaf.shape for leaf in jax.tree.leaves(params) if len(leaf.shape) == 4]
    assert sorted(kernels) == sorted(
        (4, 4, 3 if layer == 0 else 4 * 2 ** (layer - 1), 4 * 2**layer) for layer in range(len(KERNELS[size]))
    )


def test_the_published_network_has_its_numbers():
    """World Models' table: 32, 64, 128 and 256 filters, then 1024 numbers."""
    shape = jax.eval_shape(
        lambda: Encoder().init_with_output(jax.random.key(0), jnp.zeros((1, 64, 64, 3)))[0]
    )
    assert shape.shape == (1, 1024)
    with pytest.raises(ConfigError, match="48x48x3"):
        check_size((48, 48, 3))
