"""Latent dynamics, learned from what is observed."""
