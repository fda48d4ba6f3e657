"""imaginax: model-based reinforcement learning as compiled JAX programs.

    run = imaginax.train("pets", trials=8, logdir="runs/pets")
    agent = imaginax.load("runs/pets")
    action = agent.act(observation)

docs/PYTHON.md has the rest. Nothing is imported, jax included, before one of these is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imaginax.api.agent import Agent, load
    from imaginax.api.games import GameAgent
    from imaginax.api.scoring import Score, evaluate, match, read_metrics
    from imaginax.api.training import Run, train
    from imaginax.envs import make as make_env
    from imaginax.errors import ConfigError, RunError

__all__ = [
    "Agent",
    "ConfigError",
    "GameAgent",
    "Run",
    "RunError",
    "Score",
    "__version__",
    "evaluate",
    "load",
    "make_env",
    "match",
    "read_metrics",
    "train",
]

__version__ = "0.1.0"

_PLACES = {  # name -> where it is defined, and as what
    "Agent": ("imaginax.api.agent", "Agent"),
    "ConfigError": ("imaginax.errors", "ConfigError"),
    "GameAgent": ("imaginax.api.games", "GameAgent"),
    "Run": ("imaginax.api.training", "Run"),
    "RunError": ("imaginax.errors", "RunError"),
    "Score": ("imaginax.api.scoring", "Score"),
    "evaluate": ("imaginax.api.scoring", "evaluate"),
    "load": ("imaginax.api.agent", "load"),
    "make_env": ("imaginax.envs", "make"),
    "match": ("imaginax.api.scoring", "match"),
    "read_metrics": ("imaginax.api.scoring", "read_metrics"),
    "train": ("imaginax.api.training", "train"),
}


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first used."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PLACES[name]
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
