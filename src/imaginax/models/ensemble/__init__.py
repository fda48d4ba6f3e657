"""Probabilistic ensembles and how beliefs propagate through them."""
