"""Gaussian processes and the dynamics that they learn."""
