"""What is wrong with an environment: `check(env)` gives one finding a property."""

from __future__ import annotations

from imaginax.envs.checks.findings import Finding
from imaginax.types import Environment

__all__ = ["Finding", "check"]


def check(env: Environment, *, episodes: int = 4, seed: int = 0) -> list[Finding]:
    """Plays random episodes and compares what an environment does with what it promises.

    Args:
        env: as `envs.raw` gives it.
        episodes: environments that are played side by side, for one episode's length and a step more.
        seed: of everything random.
    """
    if env.host is not None:
        from imaginax.envs.checks import host

        return host.check(env, episodes=episodes, seed=seed)
    from imaginax.envs.checks import compiled

    return compiled.check(env, episodes=episodes, seed=seed)
