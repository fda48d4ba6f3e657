"""Expectations under normal distributions by Gauss-Hermite quadrature, in numpy."""

from __future__ import annotations

import itertools

import numpy as np


def nodes(mean: np.ndarray, covariance: np.ndarray, degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Points [M D] and weights [M] of a tensor grid, exact for polynomials of degree 2 degree - 1."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    one, weight = np.polynomial.hermite_e.hermegauss(degree)
    grid = np.array(list(itertools.product(one, repeat=len(mean))))
    weights = np.prod(np.array(list(itertools.product(weight, repeat=len(mean)))), axis=1)
    return mean + grid @ root.T, weights / weights.sum()


def moments(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and covariance of y, and cov(x, y)."""
    mean = weights @ y
    centred = y - mean
    across = (x - weights @ x).T @ (weights[:, None] * centred)
    return mean, centred.T @ (weights[:, None] * centred), across
