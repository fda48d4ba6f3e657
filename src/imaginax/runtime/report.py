"""What a run leaves behind: evaluation, summary.json, the learning curve and a GIF of an episode."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, PyTree, UInt, UInt8

from imaginax.runtime import distributed
from imaginax.runtime.compilation import compiled
from imaginax.runtime.output import reason
from imaginax.runtime.plotting import Curve, learning_curve
from imaginax.runtime.run_directory import RunDirectory, RunError, write_json
from imaginax.runtime.video import frames_per_second, write_gif
from imaginax.types import System


@dataclasses.dataclass
class History:
    """How far a run has come; it is saved with every checkpoint.

    Attributes:
        stage: index of the stage under way.
        chunk: chunks of it that are done.
        step: chunks of all stages that are done, which also numbers checkpoints and rows of metrics.
        wall_s: seconds of running, saving and logging.
        compile_s: seconds of tracing and compiling.
        env_steps: steps of the environments (not decisions or resets) after each chunk, of one seed.
        returns: mean return of the episodes that ended in each chunk, one list of seeds a chunk; None
            for a seed in which none ended.
        lengths: the settings that said how long the run was (`runtime.lengthening`).
        settings: `run_directory.fingerprint` of all others.
    """

    stage: int = 0
    chunk: int = 0
    step: int = 0
    wall_s: float = 0.0
    compile_s: float = 0.0
    env_steps: list[int] = dataclasses.field(default_factory=list)
    returns: list[list[float | None]] = dataclasses.field(default_factory=list)
    lengths: dict[str, int] = dataclasses.field(default_factory=dict)
    settings: str = ""

    def per_seed(self) -> Float[np.ndarray, "S T"]:
        """Returns of each seed after each of T chunks; NaN where no episode ended."""
        return np.asarray(self.returns, float).T if self.returns else np.zeros((0, 0))

    def best(self) -> float | None:
        """The highest mean over seeds."""
        ended = [[value for value in chunk if value is not None] for chunk in self.returns]
        return max((float(np.mean(values)) for values in ended if values), default=None)


class Evaluation(NamedTuple):
    """Fresh episodes of every seed.

    Attributes:
        returns: [S E] of E episodes for each of S seeds.
        states: environment states [T, ...] of the first episode of the seed with the highest mean; None
            where environments of the host ran.
        compile_s: seconds of compiling.
        frames: of the first episode of the first seed, where there are no states; None if it cannot be drawn.
        games: [S E] of a board game a hash of the moves of each episode.
    """

    returns: Float[np.ndarray, "S E"]
    states: PyTree
    compile_s: float
    frames: UInt8[np.ndarray, "T H W 3"] | None = None
    games: UInt[np.ndarray, "S E"] | None = None

    def distinct(self) -> list[int] | None:
        """How many different games each seed played; None where no game was played."""
        return None if self.games is None else [len(np.unique(games)) for games in self.games]


def evaluate(system: System, state: PyTree, keys: Array, *, episodes: int = 1) -> Evaluation:
    """Runs `system.evaluate` in every lane, as often as `episodes` needs.

    Args:
        system: the system.
        state: states [S, ...] of all lanes.
        keys: one key [S] for each lane.
        episodes: least number of episodes a seed; the system's own number is the smallest portion.
    """
    program = compiled(jax.vmap(system.evaluate), state, keys)
    portions = [distributed.fetch(program.call(state, keys))]
    while sum(portion.returns.shape[1] for portion in portions) < episodes:
        keys = jax.vmap(lambda key: jax.random.split(key, 1)[0])(keys)
        portions.append(distributed.fetch(program.call(state, keys)))
    returns = np.concatenate([portion.returns for portion in portions], axis=1)
    best = int(np.argmax(returns.mean(axis=1)))
    states = jax.tree.map(lambda x: x[best], portions[0].states)
    parts = [portion.games for portion in portions if portion.games is not None]
    games = np.concatenate(parts, axis=1) if parts else None
    return Evaluation(returns, states, program.seconds, games=games)


def summarise(
    record: dict[str, Any], history: History, status: str, evaluation: Evaluation | None
) -> dict[str, Any]:
    """The content of summary.json.

    `env_steps` and `return_per_chunk` are of each seed; `steps_per_s` counts all seeds' steps; `replay_ratio`
    is that of `runtime.loop`.
    """
    per_seed = history.per_seed()
    env_steps = history.env_steps[-1] if history.env_steps else 0
    mean = None if evaluation is None else evaluation.returns.mean(axis=1)
    return {
        **{name: record[name] for name in ("system", "env", "preset", "seeds", "seed")},
        "status": status,
        "env_steps": env_steps,
        "replay_ratio": record["replay_ratio"],
        "wall_s": history.wall_s,
        "compile_s": history.compile_s + (evaluation.compile_s if evaluation else 0.0),
        "steps_per_s": env_steps * record["seeds"] / history.wall_s if history.wall_s else 0.0,
        "eval_return": None if mean is None else float(mean.mean()),
        "eval_return_per_seed": None if mean is None else mean.tolist(),
        "eval_games": None if evaluation is None or evaluation.games is None else evaluation.games.shape[1],
        "eval_distinct_games_per_seed": None if evaluation is None else evaluation.distinct(),
        "best_return_per_seed": [_highest(seed) for seed in per_seed],
        "return_per_chunk": per_seed.tolist(),
        "env_steps_per_chunk": history.env_steps,
        "device": record["device"],
        "versions": record["versions"],
    }


def _highest(values: Float[np.ndarray, "T"]) -> float | None:
    ended = values[np.isfinite(values)]
    return float(ended.max()) if ended.size else None


def write(
    directory: RunDirectory,
    system: System,
    summary: dict[str, Any],
    history: History,
    evaluation: Evaluation | None,
) -> list[str]:
    """Writes summary.json, figures/return.png and, after an evaluation, media/episode.gif.

    Returns:
        A line for each picture that could not be drawn, which is no reason for a run to fail.

    Raises:
        RunError: if the summary cannot be written.
    """
    try:
        write_json(directory.summary, summary)
    except OSError as error:
        raise RunError(f"cannot write {directory.summary}: {error.strerror or error}") from error
    pictures = {"figures/return.png": partial(_write_curve, directory, summary, history)}
    if evaluation is not None:
        pictures["media/episode.gif"] = partial(write_episode, directory, system, evaluation)
    faults = []
    for name, draw in pictures.items():
        try:
            draw()
        except Exception as error:  # matplotlib, the renderer and the encoder raise many kinds
            faults.append(f"no {name}: {reason(error)}")
    return faults


def _write_curve(directory: RunDirectory, summary: dict[str, Any], history: History) -> None:
    """Writes figures/return.png, once an episode has ended."""
    per_seed = history.per_seed()
    if np.isfinite(per_seed).any():
        curve = Curve("", np.asarray(history.env_steps, float), per_seed)
        title = f"{summary['system']} on {summary['env']}"
        learning_curve(directory.figures / "return.png", [curve], title=title)


def write_episode(directory: RunDirectory, system: System, evaluation: Evaluation) -> None:
    """Writes media/episode.gif, if the environment can be drawn.

    Raises:
        RunError: if it cannot be written.
    """
    frames = _draw(system, evaluation.states) if evaluation.frames is None else evaluation.frames
    if frames is not None:
        spec = system.environment.spec
        fps = frames_per_second(spec.step_seconds, spec.players)
        write_gif(directory.media / "episode.gif", frames, fps=fps)


def _draw(system: System, states: PyTree) -> UInt8[np.ndarray, "T H W 3"] | None:
    """Frames of states [T, ...], if there are any and the environment can be drawn."""
    render = system.environment.render
    if render is None or states is None:
        return None
    program = jax.jit(render)  # one frame at a time: an episode's frames at once need gigabytes
    moments = (jax.tree.map(lambda x, t=t: x[t : t + 1], states) for t in range(moments_of_first(states)))
    return np.concatenate([np.asarray(program(moment)) for moment in moments])


def moments_of_first(states: PyTree) -> int:
    """How many of the states [T, ...] of an environment that resets itself belong to its first episode."""
    running = np.asarray(states.running_length)
    return next((t for t in range(1, len(running)) if running[t] == 0), len(running))
