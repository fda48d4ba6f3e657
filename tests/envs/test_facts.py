"""The table of `imaginax list` says what the environments say themselves."""

from __future__ import annotations

import importlib.util

import pytest

from imaginax import envs
from imaginax.envs.facts import FACTS
from imaginax.types import Discrete

MISSING = {"brax": "brax", "control": "mujoco"}  # extra -> module that it brings


def test_every_environment_of_this_package_is_in_the_table():
    assert set(FACTS) <= set(envs.names())
    assert not {name for name in envs.names() if name not in FACTS and ":" not in name}


@pytest.mark.slow
@pytest.mark.parametrize("name", FACTS)
def test_facts_are_those_of_the_environment(name):
    fact = FACTS[name]
    if fact.extra and importlib.util.find_spec(MISSING[fact.extra]) is None:
        pytest.skip(f"needs {fact.extra}")
    spec = envs.make(name).spec
    action = spec.action
    if isinstance(action, Discrete):
        actions = f"{action.size} choices"
    else:
        actions = f"{action.shape[0]} in [{action.low:g}, {action.high:g}]"
    assert fact.observation == "x".join(map(str, spec.observation.shape))
    assert (fact.actions, fact.steps) == (actions, spec.max_steps)
