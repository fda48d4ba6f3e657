"""Environments on Brax's physics."""
