"""What does not fit together is refused by the name of what is missing."""

import pytest

from imaginax import envs
from imaginax.compose import compose
from imaginax.models.rules import rules
from imaginax.types import Capabilities, ConfigError, Planner


def planner(**needs):
    return Planner(Capabilities(**needs), lambda batch: (), lambda *_: ())


def test_what_fits_passes():
    lqr = envs.make("diagnostic_lqr")
    compose(lqr, rules(lqr), planner(continuous=True, differentiable=True))


def test_a_missing_capability_is_named():
    lqr = envs.make("diagnostic_lqr")
    with pytest.raises(
        ConfigError, match="needs a world model with: value, policy; it offers: continuous, differentiable"
    ):
        compose(lqr, rules(lqr), planner(continuous=True, value=True, policy=True))


def test_kinds_of_actions_must_agree():
    chain = envs.make("diagnostic_chain")
    with pytest.raises(ConfigError, match="discrete actions; the planner handles continuous"):
        compose(chain, rules(chain), planner(continuous=True))
    lqr = envs.make("diagnostic_lqr")
    with pytest.raises(ConfigError, match="continuous actions; the world model handles discrete"):
        compose(lqr, rules(chain), planner(continuous=True))
