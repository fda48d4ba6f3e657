"""Agents alone: what acting needs of a run, small enough to be shipped, without replay and optimisers.

    config.json    of the run, with the one seed that was kept
    summary.json   of the run, of that seed
    agent.json     how it was made, how good it is, and the sha256 of the other files
    learner/0/     the learner, as a checkpoint holds it

Such a folder serves wherever a run directory does, except for going on with the training.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
from jaxtyping import PyTree

from imaginax import registry
from imaginax.learning.learner import Learner
from imaginax.runtime import checkpoint, run_directory
from imaginax.runtime import config as configs
from imaginax.runtime.loop import first_state
from imaginax.runtime.plotting import commit
from imaginax.runtime.precision import precision
from imaginax.runtime.run_directory import RunDirectory
from imaginax.types import ConfigError, System

if TYPE_CHECKING:
    from imaginax.runtime.playback import Trained

_PER_SEED = (
    "eval_return_per_seed",
    "eval_distinct_games_per_seed",
    "best_return_per_seed",
    "return_per_chunk",
)


def pack(trained: Trained, lane: int, target: Path) -> dict[str, Any]:
    """Writes one agent of a run into a folder of its own, and gives the content of its agent.json.

    Args:
        trained: the run.
        lane: which of its seeds, from 0.
        target: the folder, which must not exist.

    Raises:
        ConfigError: if the folder exists, the run reads files of its own, or it was never evaluated.
        CheckpointError: if something cannot be written.
    """
    if target.exists():
        raise ConfigError(f"{target} exists already")
    if trained.record.get("inputs"):
        raise ConfigError(f"{trained.directory.path} reads files that a packed agent would not have")
    source = trained.directory.summary
    summary = run_directory.read_json(source) if source.exists() else {}
    if summary.get("eval_return") is None:
        raise ConfigError(f"{trained.directory.path} has no evaluation yet: finish the training first")
    seed = trained.record["seed"] + lane
    with precision(trained.system):
        learner = jax.tree.map(lambda leaf: leaf[lane : lane + 1], trained.restored.state.learner)
    checkpoint.save(target / "learner", 0, without_optimisers(learner), progress={})
    record = trained.record | {"seeds": 1, "seed": seed}
    run_directory.write_json(target / "config.json", record)
    kept = {name: value[lane : lane + 1] for name in _PER_SEED if (value := summary.get(name))}
    score = summary["eval_return_per_seed"][lane]
    run_directory.write_json(
        target / "summary.json", summary | kept | {"seeds": 1, "seed": seed, "eval_return": score}
    )
    about = {
        "command": command(trained.record),
        "seed": seed,
        "eval_return": score,
        "eval_games": summary.get("eval_games"),
        "env_steps": summary["env_steps"],
        "commit": commit(),
        "sha256": sums(target),
    }
    run_directory.write_json(target / "agent.json", about)
    return about


def without_optimisers(learner: PyTree) -> PyTree:
    """A learner with nothing in place of each optimiser's state."""
    return jax.tree.map(_bare, learner, is_leaf=_is_learner)


def _is_learner(node: Any) -> bool:
    return isinstance(node, Learner)


def _bare(node: Any) -> Any:
    return node._replace(optimiser=()) if isinstance(node, Learner) else node


def _with_optimiser(fresh: Any, packed: Any) -> Any:
    return packed._replace(optimiser=fresh.optimiser) if isinstance(fresh, Learner) else packed


def sums(folder: Path) -> dict[str, str]:
    """sha256 of every file of a packed agent but agent.json, by its path in the folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "agent.json")
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths
    }


def command(record: dict[str, Any]) -> str:
    """The command line that trains the run of a config.json."""
    entry = registry.entry(record["system"])
    preset, env = record.get("preset") or entry.presets[0], record["config"].get("env")
    base = configs.to_json(entry.preset(preset, env))
    words = ["imaginax", "train", record["system"], "--preset", preset]
    words += ["--env", env] if env else []
    words += ["--seeds", str(record["seeds"])] if record["seeds"] > 1 else []
    words += ["--seed", str(record["seed"])] if record["seed"] else []
    for field, value in _changes(base, record["config"]):
        values = value if isinstance(value, list) else [value]
        words += [f"--{field}", *(item if isinstance(item, str) else json.dumps(item) for item in values)]
    return shlex.join(words)


def _changes(base: Any, config: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Fields that differ from the preset, in the order of the configuration."""
    found = []
    for name, value in config.items():
        if isinstance(value, dict):
            old = base.get(name)
            found += _changes(old if isinstance(old, dict) else {}, value, f"{prefix}{name}.")
        elif value != base.get(name):
            found.append((f"{prefix}{name}", value))
    return found


def unpack(system: System, directory: RunDirectory, keys: PyTree) -> checkpoint.Restored:
    """The state of a run that has just begun, optimisers included, with what a packed agent has learned.

    Args:
        system: as it was trained.
        directory: of the agent.
        keys: with which the lanes begin.

    Raises:
        CheckpointError: if a file is damaged or of another state.
    """
    with precision(system):
        state = jax.jit(first_state(system))(keys)
        like = jax.eval_shape(lambda: without_optimisers(state.learner))
        found = checkpoint.load(directory.learner / "0", like)
        learner = jax.tree.map(_with_optimiser, state.learner, found.state, is_leaf=_is_learner)
    return found._replace(state=state._replace(learner=learner))
