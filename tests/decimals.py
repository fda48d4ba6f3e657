"""Moment matching in 60 decimal digits, by PILCO's formulas (Deisenroth & Rasmussen 2011) as they stand."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import NamedTuple

import numpy as np

DIGITS = 60
exact = np.vectorize(Decimal, otypes=[object])
_exp = np.vectorize(Decimal.exp, otypes=[object])


class Moments(NamedTuple):
    """Of E outputs: mean, covariance, and the part of the variances that the data leave."""

    mean: np.ndarray
    covariance: np.ndarray
    latent: np.ndarray


class Reference:
    """Gaussian processes with squared exponential kernels, given data."""

    def __init__(self, x, y, lengths, variance, noise):
        self.x, self.lengths, self.variance = exact(x), exact(lengths), exact(variance)
        with localcontext(prec=DIGITS):
            self.solved = [
                self._solve(exact(column), length, v, n)
                for column, length, v, n in zip(y.T, self.lengths, self.variance, exact(noise), strict=True)
            ]

    @classmethod
    def of_weights(cls, x, weights, lengths):
        """Sums of kernels of variance 1 with given weights, a row an output; no data stand behind them."""
        reference = cls.__new__(cls)
        reference.x, reference.lengths, reference.variance = (
            exact(x),
            exact(lengths),
            exact(np.ones(len(weights))),
        )
        reference.solved = [(exact(row), exact(np.zeros((len(x), len(x))))) for row in weights]
        return reference

    def _solve(self, y, length, variance, noise):
        """beta and A."""
        scaled = self.x / length
        kernel = variance * _exp(-_squares(scaled[:, None] - scaled) / 2)
        inverse, _ = _invert(kernel + noise * exact(np.eye(len(y), dtype=int)))
        return inverse @ y, inverse

    def match(self, mean, covariance) -> Moments:
        """The moments at x ~ N(mean, covariance), both of decimals or floats, as decimals."""
        with localcontext(prec=DIGITS):
            return self._match(exact(mean), exact(covariance))

    def _match(self, mean, s):
        away, identity = self.x - mean, exact(np.eye(len(mean), dtype=int))
        outputs = range(len(self.variance))
        means = []
        for (beta, _), length, variance in zip(self.solved, self.lengths, self.variance, strict=True):
            inverse, determinant = _invert(s + np.diag(length**2))
            scale = variance * length.prod() / determinant.sqrt()
            means.append(scale * (beta @ _exp(-np.sum((away @ inverse) * away, 1) / 2)))
        found = np.zeros((len(outputs), len(outputs)), object)
        latent = np.zeros(len(outputs), object)
        for a in outputs:
            for b in outputs[a:]:
                d_a, d_b = (self.lengths[i] ** -2 for i in (a, b))
                inverse, determinant = _invert(s * (d_a + d_b) + identity)
                spread = inverse @ s
                z = (away * d_a)[:, None] + away * d_b
                exponent = np.sum((z @ spread) * z, -1) - _squares(away / self.lengths[a])[:, None]
                exponent = (exponent - _squares(away / self.lengths[b])) / 2
                q = self.variance[a] * self.variance[b] / determinant.sqrt() * _exp(exponent)
                found[a, b] = self.solved[a][0] @ q @ self.solved[b][0] - means[a] * means[b]
                found[b, a] = found[a, b]
                if a == b:
                    latent[a] = self.variance[a] - np.sum(self.solved[a][1] * q)
                    found[a, a] += latent[a]
        return Moments(np.array(means), found, latent)


def _squares(x):
    return np.sum(x * x, axis=-1)


def _invert(matrix):
    """Inverse and determinant, by elimination with pivots."""
    size = len(matrix)
    rows, determinant = np.concatenate([matrix, exact(np.eye(size, dtype=int))], axis=1), Decimal(1)
    for k in range(size):
        pivot = k + int(np.argmax(np.abs(rows[k:, k])))
        if pivot != k:
            rows[[k, pivot]], determinant = rows[[pivot, k]], -determinant
        determinant *= rows[k, k]
        rows[k] = rows[k] / rows[k, k]
        others = np.arange(size) != k
        rows[others] -= rows[others, k][:, None] * rows[k]
    return rows[:, size:], determinant
