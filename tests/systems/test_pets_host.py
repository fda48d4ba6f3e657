"""PETS in a world of the host that publishes neither its reward nor its end."""

import dataclasses
import json

import numpy as np
import pytest

pytest.importorskip("gymnasium")

from imaginax.runtime import run  # noqa: E402
from imaginax.systems import pets  # noqa: E402
from imaginax.systems.presets.pets import TINY  # noqa: E402
from tests.envs.host import worlds  # noqa: E402


def test_learns_to_walk_for_a_reward_that_it_has_to_learn(tmp_path):
    """The walk pays the length of each step and ends beyond 2; random steps pay nothing on average."""
    worlds.register()
    fit = dataclasses.replace(TINY.fit, epochs=200)
    config = dataclasses.replace(TINY, env=f"gym:{worlds.ID}", trials=8, eval_episodes=2, fit=fit)
    system = pets.make(config)
    assert system.environment.reward is None and system.environment.terminated is None
    summary = run.train(system, logdir=tmp_path, preset="tiny")
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    losses = [row["model_end_loss"] for row in rows if "model_end_loss" in row]
    assert len(losses) == 8 and np.isfinite(losses).all()
    assert min(summary["eval_return_per_seed"]) > 1.5
