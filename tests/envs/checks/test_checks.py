"""The checks find each fault by name, and none where there is none."""

from __future__ import annotations

import dataclasses

import pytest

pytest.importorskip("gymnasium")

from imaginax import cli, envs  # noqa: E402
from imaginax.envs import checks  # noqa: E402
from imaginax.envs.games.environment import environment as game  # noqa: E402
from tests.envs.checks.broken_worlds import BROKEN, sound  # noqa: E402


def faults(env) -> dict[str, str]:
    return {found.name: found.told for found in checks.check(env) if found.verdict == "fault"}


def test_a_sound_world_has_no_fault_and_its_numbers_are_told():
    found = {finding.name: finding for finding in checks.check(sound(), episodes=8)}
    assert {finding.verdict for finding in found.values()} == {"ok"}
    assert found["specification"].told == "observation [1] float32, action [1] in [-1, 1], 6 steps"
    assert "terminated, " in found["termination"].told and "8 x 8" in found["render"].told
    assert {"jit", "shapes", "dtypes", "determinism", "auto-reset", "vmap", "finite values", "bounds"} <= set(
        found
    )
    assert {"reward range", "reward function", "end function", "features"} <= set(found)


@pytest.mark.parametrize("what", BROKEN)
def test_each_fault_is_named(what):
    name, told, make = BROKEN[what]
    env = make()
    seen = faults(env)
    assert name in seen and told in seen[name], seen


def test_a_game_that_is_longer_than_its_limit():
    env = game("tic_tac_toe")
    short = env._replace(spec=dataclasses.replace(env.spec, max_steps=4))
    assert "longer than its 4 steps" in faults(short)["termination"]


def test_a_game_is_played_with_legal_moves():
    assert not faults(game("tic_tac_toe"))


@pytest.mark.parametrize(
    ("fault", "name", "told"),
    [
        ("Seed", "determinism", "cannot be repeated"),
        ("Raises", "random play", "RuntimeError: motor is off"),
        ("Bounds", "bounds", "outside"),
        ("Reward", "reward range", "scale them"),
    ],
)
def test_faults_of_the_host_are_named(fault, name, told):
    assert told in faults(envs.make(f"gym:imaginax_tests/Broken{fault}-v0"))[name]


def test_the_command_prints_a_table_and_says_by_its_code_whether_something_is_wrong(capsys):
    assert cli.main(["check-env", "gym:imaginax_tests/Broken-v0"]) == 0
    out = capsys.readouterr().out
    assert "  determinism     ok     the same seeds" in out and "no faults" in out
    assert "  alphazero     no   env must be a board game" in out
    assert cli.main(["check-env", "gym:imaginax_tests/BrokenReward-v0", "--no-systems"]) == 1
    out = capsys.readouterr().out
    assert "\nfaults: reward range\n" in out and "systems" not in out
    assert cli.main(["check-env", "nothing:here"]) == 2
