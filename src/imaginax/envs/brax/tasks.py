"""The three tasks of PETS that need rigid-body physics, under one roof for the registry."""

from __future__ import annotations

from imaginax.envs.brax.half_cheetah import half_cheetah
from imaginax.envs.brax.pusher import pusher
from imaginax.envs.brax.reacher import reacher

__all__ = ["half_cheetah", "pusher", "reacher"]
