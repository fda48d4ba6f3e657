"""Promise 10: a system that can act on an environment outside of JAX trains on one, by the same command."""

from __future__ import annotations

import dataclasses
import io
import os
import signal
from pathlib import Path
from typing import Any

from imaginax import cli, registry
from imaginax.runtime import run
from imaginax.runtime.metrics import read_metrics
from imaginax.runtime.run_directory import read_json, read_run
from imaginax.types import System
from tests.contract.processes import digest

STRANGERS = ("gym:Pendulum-v1", "gym:CartPole-v1")  # continuous, discrete
STEPS = 20  # of an episode
SHORT = {
    "trials": 2,
    "trial_steps": STEPS,
    "episode_steps": STEPS,
    "episodes": 16,
    "updates": 10,
    "eval_episodes": 1,
}
# Rounds of one whole episode, after which nothing of the host's own state is missing; one step begins it.
ROUNDS = {"prefill_steps": STEPS + 1, "chunk_steps": STEPS + 1, "chunks": 2}
AT_ONCE = {"warmup": 1, "chunk_steps": STEPS, "chunks": 2}  # where a new episode begins in the same step


def trains_or_refuses(entry, folder: Path, capsys, monkeypatch) -> dict[str, int]:
    """Whoever names an environment of the host trains on it; the others refuse one in a line."""
    known = [env for env in entry.environments if registry.is_host(env)]
    for env in known:
        _trains(entry, env, folder, monkeypatch)
    for env in () if known else STRANGERS:
        logdir = folder / env.rpartition(":")[2]
        assert cli.main(["train", entry.name, "--preset", "tiny", "--env", env, "--logdir", str(logdir)]) == 2
        complaint = capsys.readouterr().err.strip()
        assert len(complaint.splitlines()) == 1 and "env" in complaint and env in complaint, complaint
    return {"host environments": len(known), "refused": 0 if known else len(STRANGERS)}


def _trains(entry, env: str, folder: Path, monkeypatch) -> None:
    """A run that is stopped goes on bit for bit, and every step of the environments is counted."""
    from gymnasium.envs import classic_control

    simulator = {"gym:Acrobot-v1": classic_control.AcrobotEnv}.get(env, classic_control.PendulumEnv)
    config = entry.preset("tiny", env)
    fields = {field.name for field in dataclasses.fields(config)}
    short = SHORT | (ROUNDS if "prefill_steps" in fields else AT_ONCE if "warmup" in fields else {})
    system = entry.make(dataclasses.replace(config, **{k: v for k, v in short.items() if k in fields}))
    made, step = [], simulator.step
    monkeypatch.setattr(simulator, "step", lambda env, action: made.append(0) or step(env, action))
    summary = _run(system, folder / "whole", io.StringIO())
    environments = _state(system, folder / "whole").timestep.last.size
    evaluated = STEPS * environments  # one episode in each
    assert summary["status"] == "finished" and len(made) == summary["env_steps"] + evaluated
    assert _run(system, folder / "stopped", _Stopping())["status"] == "stopped"
    again = _run(system, folder / "stopped", io.StringIO())
    assert again["eval_return_per_seed"] == summary["eval_return_per_seed"]
    assert _rows(folder / "stopped") == _rows(folder / "whole"), "the rows differ"
    assert digest(_state(system, folder / "stopped")) == digest(_state(system, folder / "whole"))


class _Stopping(io.StringIO):
    """A stream that stops the run where its first chunk is told."""

    def write(self, text: str) -> int:
        if "1/" in text:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().write(text)


def _run(system: System, logdir: Path, stream: io.StringIO) -> dict[str, Any]:
    return run.train(system, logdir=logdir, preset="tiny", stream=stream)


def _rows(logdir: Path) -> list[dict]:
    return [row | {"wall_s": None} for row in read_metrics(logdir / "metrics.jsonl")]


def _state(system: System, logdir: Path) -> Any:
    directory, record = read_run(logdir)
    assert read_json(directory.summary)["env"] == system.environment.spec.name
    return run.reload(system, directory, record).state
