"""Environments that are no JAX programs."""
