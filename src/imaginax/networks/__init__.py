"""Flax modules that world models share."""
