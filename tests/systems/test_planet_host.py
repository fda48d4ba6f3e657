"""PlaNet on environments that are no JAX programs: the same experience, and the whole way by command line."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest

pytest.importorskip("gymnasium")

from imaginax import cli, envs  # noqa: E402
from imaginax.envs import wrappers  # noqa: E402
from imaginax.runtime.driver import CompiledDriver  # noqa: E402
from imaginax.runtime.host_driver import HostDriver  # noqa: E402
from imaginax.runtime.metrics import read_metrics  # noqa: E402
from imaginax.runtime.run_directory import read_json  # noqa: E402
from imaginax.systems import planet  # noqa: E402
from imaginax.systems.presets import planet as planet_presets
from tests.envs.host import worlds  # noqa: E402

REPEAT, ROUNDS, N = 2, 6, 2
CONFIG = dataclasses.replace(
    planet_presets.TINY,
    env=f"gym:{worlds.ID}",
    action_repeat=REPEAT,
    environments=N,
    seed_episodes=N * ROUNDS,
    episodes=N,
    sequence=5,
)
WORDS = (
    "--environments 1 --seed-episodes 1 --episodes 1 --updates 1 --batch-size 2 --sequence 4 --model.depth 2"
    " --model.hidden 4 --eval-episodes 1 --planner.population 4 --planner.elites 2 --planner.iterations 1"
).split()


def random_chunks(system, driver):
    state, _ = driver.start(jax.random.split(jax.random.key(0), 1))
    (stage, _), steps = system.schedule, []
    chunk = driver.chunk(stage, state)
    for index in range(stage.chunks):
        state, output = chunk.call(state, np.int32(index))
        steps.append(int(np.sum(output.env_steps)))
    driver.close()
    return jax.tree.map(np.asarray, system.replay.data(jax.tree.map(lambda x: x[0], state.replay))), steps


def test_replay_is_the_same_in_jax_and_outside(monkeypatch):
    """Ends and limits mixed, two environments out of phase, actions held: every bit that is learned from."""
    worlds.register()
    system = planet.make(CONFIG)
    ring, steps = random_chunks(system, HostDriver(system, 1))
    walk = wrappers.action_repeat(worlds.walk(), REPEAT)
    monkeypatch.setattr(envs, "make", lambda *given, **options: walk)
    twin = planet.make(CONFIG)
    expected, counted = random_chunks(twin, CompiledDriver(twin, 1))
    jax.tree.map(np.testing.assert_array_equal, ring, expected)
    assert steps == counted
    items = ring.items
    assert not items.reward[items.first].any() and (items.discount == 0).sum() >= 2
    assert not np.array_equal(*items.first), "the two are out of phase"
    ends = items.observation[:, :-1][items.first[:, 1:]]
    assert (ends[..., 0] != 0).all(), "the last observation of an episode is kept, with its own reward"


@pytest.mark.slow
@pytest.mark.parametrize(("world", "image"), [("NoRender", 0), ("Seen", 32)])
def test_from_training_to_a_picture(tmp_path, capsys, world, image):
    """Where there is nothing to draw there is no GIF; a picture that was asked for is refused in a line."""
    run, name = str(tmp_path / "run"), f"gym:tests.envs.host.foreign_worlds:{world}-v0"
    command = [
        "train",
        "planet",
        "--preset",
        "tiny",
        "--env",
        name,
        "--image",
        str(image),
        "--logdir",
        run,
        *WORDS,
    ]
    assert cli.main(command) == 0
    assert [row["env_steps"] for row in read_metrics(tmp_path / "run" / "metrics.jsonl")] == [6, 12]
    summary = read_json(tmp_path / "run" / "summary.json")
    assert cli.main(command) == 0, "the same command again"
    assert read_json(tmp_path / "run" / "summary.json")["eval_return"] == summary["eval_return"]
    assert cli.main(["eval", run, "--episodes", "2"]) == 0 == cli.main(["play", run])
    drawn = (tmp_path / "run" / "media" / "episode.gif").exists()
    assert drawn == (world == "Seen")
    capsys.readouterr()
    assert cli.main(["play", run, "--output", str(tmp_path / "a.gif")]) == (0 if drawn else 2)
    complaint = capsys.readouterr().err.splitlines()
    assert [line for line in complaint if name in line and "cannot be drawn" in line] == complaint
