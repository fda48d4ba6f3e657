"""Putting an environment, a world model and a planner together, checked before anything is compiled."""

from __future__ import annotations

from imaginax.types import Box, Capabilities, ConfigError, Environment, Planner, WorldModel


def check_compatible(env: Environment, model: WorldModel, planner: Planner) -> None:
    """Checks that the planner can work with the model, and both with the environment's actions.

    Raises:
        ConfigError: naming the capability that is missing.
    """
    actions = "continuous" if isinstance(env.spec.action, Box) else "discrete"
    for part, offers in (("world model", model.can), ("planner", planner.needs)):
        others = {"continuous": "discrete", "discrete": "continuous"}
        if not getattr(offers, actions) and getattr(offers, others[actions]):
            raise ConfigError(
                f"env {env.spec.name} has {actions} actions; the {part} handles {others[actions]} ones"
            )
    missing = [
        name for name in Capabilities._fields if getattr(planner.needs, name) and not getattr(model.can, name)
    ]
    if missing:
        raise ConfigError(
            f"the planner needs a world model with: {', '.join(missing)}; it offers: {_names(model.can)}"
        )


def _names(capabilities: Capabilities) -> str:
    return ", ".join(name for name in Capabilities._fields if getattr(capabilities, name)) or "none"
