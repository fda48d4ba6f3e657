"""Errors that one line explains to a user."""

from __future__ import annotations

__all__ = ["ConfigError", "RunError"]


class ConfigError(ValueError):
    """A configuration that cannot work; its one-line message names the field."""


class RunError(RuntimeError):
    """A run that cannot go on; its one-line message says why."""
