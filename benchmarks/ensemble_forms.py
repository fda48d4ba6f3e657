"""Where an ensemble's batched matrix product beats one member after the other (MANY_ROWS).

    python benchmarks/ensemble_forms.py

Prints, for the published widths, the time of one form over the other's: below 1 the batched form is faster.
Forward alone is what planning does, forward and backward what training does. Run it where nothing else runs.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from imaginax.networks import ensemble
from imaginax.networks.ensemble import Layer

MEMBERS, ROWS, REPEATS, CALLS = 5, (16, 32, 64, 100, 400, 1600), 9, 5
WIDTHS = {
    "4x200": (24, 200, 200, 200, 200, 36),
    "3x500": (6, 500, 500, 500, 8),
    "3x128": (6, 128, 128, 128, 8),
}


def weights(widths: tuple[int, ...]) -> list[Layer]:
    """Random weights of all members."""
    shapes = zip(widths[:-1], widths[1:], strict=True)
    keys = jax.random.split(jax.random.key(0), len(widths))
    return [
        Layer(jax.random.normal(key, (MEMBERS, i, o)) / i**0.5, jnp.zeros((MEMBERS, 1, o)))
        for key, (i, o) in zip(keys, shapes, strict=False)
    ]


def seconds(function: Callable[..., Any], *arguments: Any) -> float:
    """Of `CALLS` calls."""
    start = time.perf_counter()
    for _ in range(CALLS):
        jax.block_until_ready(function(*arguments))
    return time.perf_counter() - start


def ratio(layers: list[Layer], rows: int, *, gradient: bool) -> float:
    """Median over repeats of (batched form's time) / (the other's), measured in turn."""
    x = jax.random.normal(jax.random.key(1), (MEMBERS, rows, layers[0].kernel.shape[1]))
    forms = [ensemble.forward_at_once, ensemble.forward_one_by_one]
    if gradient:
        forms = [jax.grad(lambda w, x, form=form: jnp.sum(form(w, x) ** 2)) for form in forms]
    at_once, sequential_vmap = (jax.jit(form) for form in forms)
    seconds(at_once, layers, x), seconds(sequential_vmap, layers, x)
    pairs = [(seconds(at_once, layers, x), seconds(sequential_vmap, layers, x)) for _ in range(REPEATS)]
    return statistics.median(a / b for a, b in pairs)


def main() -> None:
    """Prints the table."""
    print(f"{'rows':<22}" + "".join(f"{rows:>8}" for rows in ROWS))
    for name, widths in WIDTHS.items():
        layers = weights(widths)
        for gradient in (False, True):
            label = f"{name} {'forward, backward' if gradient else 'forward'}"
            ratios = [ratio(layers, rows, gradient=gradient) for rows in ROWS]
            print(f"{label:<22}" + "".join(f"{value:>8.2f}" for value in ratios))


if __name__ == "__main__":
    main()
