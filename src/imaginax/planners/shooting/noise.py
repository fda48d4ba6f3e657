"""Coloured noise: Gaussian sequences with a power-law spectrum (Timmer and Koenig 1995)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def coloured_noise(key: Array, beta: float, shape: tuple[int, ...]) -> Float[Array, "..."]:
    """Unit-variance Gaussian noise whose power falls as frequency^-beta along axis -2, the time of a plan.

    `beta` 0 is white, 1 pink, 2 red noise. Fourier coefficients are drawn as normals of standard deviation
    f^(-beta/2), the lowest frequency's also for the constant term, and scaled so that every entry has
    variance 1.
    """
    horizon = shape[-2]
    if beta == 0.0 or horizon == 1:
        return jax.random.normal(key, shape)
    frequency = jnp.fft.rfftfreq(horizon)
    scale = -beta / 2 * jnp.log(frequency.at[0].set(frequency[1]))
    scale = jnp.exp(scale - scale.max())  # a power of any size; `power` takes the common factor away
    real, imaginary = jax.random.normal(key, (2, *shape[:-2], shape[-1], len(frequency)))
    # The constant term and the highest one of an even horizon are real: all their power is in the real part.
    single = jnp.zeros(len(frequency), bool).at[0].set(True).at[-1].set(horizon % 2 == 0)
    real = jnp.where(single, jnp.sqrt(2.0) * real, real)
    imaginary = jnp.where(single, 0.0, imaginary)
    series = jnp.fft.irfft(scale * (real + 1j * imaginary), n=horizon, axis=-1)
    power = jnp.sum(jnp.where(single, 2.0, 4.0) * scale**2)
    return jnp.moveaxis(series * horizon / jnp.sqrt(power), -1, -2)
