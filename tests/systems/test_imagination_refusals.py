"""What Dreamer and DreamerV2 cannot do is refused in one line, before anything is compiled."""

from __future__ import annotations

import dataclasses

import jax
import pytest

from imaginax import cli
from imaginax.runtime import memory
from imaginax.systems import dreamer, dreamerv2
from imaginax.systems.presets import dreamer as dreamer_presets
from imaginax.systems.presets import dreamerv2 as dreamerv2_presets
from imaginax.types import ConfigError


@pytest.fixture
def uncompiled(monkeypatch):
    def fail(*given, **named):
        raise AssertionError("something is compiled")

    monkeypatch.setattr(jax.stages.Lowered, "compile", fail)


TINY = "--preset tiny"
CASES = [
    ("dreamer", "--env diagnostic_bandit", "image .32. must divide 48 x 160"),
    ("dreamer", "--env gym:tests.envs.host.foreign_worlds:NoRender-v0", "has no image to observe"),
    ("dreamerv2", f"{TINY} --env tic_tac_toe", "tic_tac_toe is a board game"),
    ("dreamerv2", f"{TINY} --exploration 1.5", "exploration is a probability where actions are discrete"),
    ("dreamerv2", f"{TINY} --behaviour.gradient sideways", "behaviour.gradient"),
    ("dreamerv2", f"{TINY} --objective.reward 0", "objective.reward must be above 0"),
    ("dreamerv2", f"{TINY} --memory 2000000000", "replay does not fit"),
    (
        "dreamerv2",
        f"{TINY} --behaviour.horizon 10000 --batch-size 10000",
        "an update does not fit: .* at least .* lower one of behaviour.horizon .10000., batch_size .10000.",
    ),
    (
        "dreamer",
        "--preset laptop --objective.observation none --objective.no-reward-gradient",
        "leaves beliefs nothing to learn from",
    ),
    ("dreamer", "--preset paper --env pendulum", "preset paper has settings for control tasks"),
    ("dreamer", f"{TINY} --model.precision float16", "model.precision"),
]


@pytest.mark.parametrize(("system", "words", "message"), CASES)
def test_one_line_before_compiling(system, words, message, capsys, tmp_path, uncompiled):
    assert cli.main(["train", system, "--logdir", str(tmp_path / "run"), *words.split()]) == 2
    complaint = capsys.readouterr().err.strip()
    assert len(complaint.splitlines()) == 1
    with pytest.raises(ConfigError, match=message):
        raise ConfigError(complaint)
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.parametrize("gradient", ["dynamics", "reinforce"])
def test_what_an_update_needs_at_least_is_less_than_what_it_takes(gradient):
    """And not much less, where imagination is most of it."""
    tiny = dreamer_presets.TINY if gradient == "dynamics" else dreamerv2_presets.TINY
    behaviour = dataclasses.replace(tiny.behaviour, gradient=gradient, horizon=60)
    config = dataclasses.replace(tiny, behaviour=behaviour, batch_size=64, prefill_steps=16, chunk_steps=8)
    config = dataclasses.replace(config, sequence=16)
    system = (dreamer if gradient == "dynamics" else dreamerv2).make(config)
    state = jax.eval_shape(system.init, jax.random.key(0))
    learn = jax.jit(system.learn).lower(state.learner, state.replay, jax.random.key(0))
    taken = learn.compile().memory_analysis().temp_size_in_bytes
    assert system.working is not None and 0.2 * taken < system.working.bytes < taken
    with pytest.raises(ConfigError, match="an update does not fit"):
        needed = memory.check(system, 1).total
        memory.check(system, 1, limit=needed + system.working.bytes - 1)
    assert memory.check(system, 1, limit=needed + system.working.bytes)
