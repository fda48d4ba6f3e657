"""Gaussian process dynamical models."""
