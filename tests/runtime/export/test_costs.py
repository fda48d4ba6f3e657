"""Costs against closed forms and, where there is no loop, against XLA's own count."""

import functools

import jax
import jax.experimental
import jax.numpy as jnp
import pytest

from imaginax.runtime.export import costs
from imaginax.runtime.run_directory import RunError

BATCH, WIDTH, LENGTH = 8, 64, 50
X, W = jnp.ones((BATCH, WIDTH)), jnp.ones((WIDTH, WIDTH))
STEP = 2 * BATCH * WIDTH * WIDTH + BATCH * WIDTH  # a product and a tanh
STEP_BYTES = 4 * (2 * BATCH * WIDTH + WIDTH * WIDTH)


def layer(w, x):
    return jnp.tanh(x @ w)


def test_a_scan_counts_as_often_as_it_iterates():
    def network(w, x):
        return jax.lax.scan(lambda x, _: (layer(w, x), None), x, length=LENGTH)[0]

    assert costs.count(jax.jit(network), W, X) == (LENGTH * STEP, LENGTH * STEP_BYTES, 0)


def test_without_loops_it_agrees_with_xla():
    def loss(weights, x):
        for w in weights:
            x = jax.nn.swish(x @ w + 1.0)
        return jnp.mean((x - 2.0) ** 2)

    gradient = jax.jit(jax.value_and_grad(loss))
    xla = gradient.lower([W] * 4, X).cost_analysis()
    counted = costs.count(gradient, [W] * 4, X).flops
    assert counted == pytest.approx(xla["flops"] + xla["transcendentals"], rel=0.02)


def test_a_loop_that_may_stop_early_counts_to_its_limit():
    def going(carry):
        x, iteration = carry
        return (iteration < 9) & jnp.any(x > 0.01)

    def search(w, x):
        return jax.lax.while_loop(going, lambda carry: (layer(w, carry[0]), carry[1] + 1), (x, 2))[0]

    counted = costs.count(search, W, X)
    assert counted.open_loops == 0
    assert counted.flops == pytest.approx(7 * STEP, rel=0.01)  # the condition is arithmetic too


def test_a_loop_of_unknown_length_counts_once_and_is_told():
    def passes(w, x, count):
        return jax.lax.fori_loop(0, count, lambda _, x: layer(w, x), x)

    assert costs.count(passes, W, X, jnp.int32(9))[::2] == (STEP, 1)
    # A counter that goes down, and one whose steps are not 1, have no limit that could be read off.
    for step in (-1, 2):
        loop = jax.make_jaxpr(
            lambda x, step=step: jax.lax.while_loop(
                lambda c: c[1] < 9, lambda c: (layer(W, c[0]), c[1] + step), (x, 0)
            )
        )(X)
        assert costs.count_jaxpr(loop.jaxpr).open_loops == 1


def test_a_branch_counts_as_its_dearest():
    def sometimes(w, x, index):
        return jax.lax.cond(index % 3 == 0, lambda x: layer(w, layer(w, x)), lambda x: layer(w, x), x)

    assert costs.count(sometimes, W, X, jnp.int32(0)).flops == 2 * STEP


def test_convolutions_and_factorisations_have_their_closed_forms():
    image, kernel = jnp.ones((2, 16, 16, 4)), jnp.ones((3, 3, 4, 8))

    def convolve(image, kernel):
        names = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(image, kernel, (1, 1), "VALID", dimension_numbers=names)

    xla = jax.jit(convolve).lower(image, kernel).cost_analysis()["flops"]
    assert costs.count(convolve, image, kernel).flops == 2 * (2 * 14 * 14 * 8) * (3 * 3 * 4) == xla

    def solve(a, b):
        return jax.lax.linalg.triangular_solve(jax.lax.linalg.cholesky(a), b, left_side=True, lower=True)

    n, columns = 12, 5
    counted = costs.count(solve, jnp.eye(n), jnp.ones((n, columns))).flops
    assert n**3 / 3 + n * n * columns <= counted <= n**3 / 3 + n * n * (columns + 3)  # and symmetrising


@pytest.mark.parametrize("kind", ["print", "debug", "io", "pure"])
def test_a_call_of_the_host_is_found_wherever_it_hides(kind):
    def tell(x):
        shape = jax.ShapeDtypeStruct(x.shape, x.dtype)
        if kind == "print":
            jax.debug.print("{}", x)
        elif kind == "debug":
            jax.debug.callback(lambda _: None, x)
        else:
            call = jax.experimental.io_callback if kind == "io" else jax.pure_callback
            x = call(lambda value: value, shape, x)
        return x

    @jax.jit
    def program(x, index):
        step = functools.partial(jax.lax.cond, index > 0, tell, lambda x: x)
        return jax.lax.scan(lambda x, _: (step(x), None), x, length=3)[0]

    jaxpr = jax.make_jaxpr(program)(X, jnp.int32(0)).jaxpr
    with pytest.raises(RunError, match=r"train_learn calls the host \(\w+\), so no other machine can run it"):
        costs.check_host_calls("train_learn", jaxpr)
    costs.check_host_calls("quiet", jax.make_jaxpr(layer)(W, X).jaxpr)
