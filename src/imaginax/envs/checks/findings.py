"""The findings of a check, and those that recorded episodes allow, compiled or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np

from imaginax.types import Discrete, Environment, EnvSpec

_FAR = 1e6  # rewards beyond it swamp the losses of every learner


class Finding(NamedTuple):
    """One property of an environment: its name, the verdict, and what was seen."""

    name: str
    verdict: Literal["ok", "note", "fault"]
    told: str


class Record(NamedTuple):
    """Steps of N environments that reset themselves, numpy [T, N, ...].

    `before` is the observation that the action answered, `after` the one to which it led.
    """

    before: np.ndarray
    action: np.ndarray
    after: np.ndarray
    reward: np.ndarray
    discount: np.ndarray
    last: np.ndarray
    truncated: np.ndarray


def describe(spec: EnvSpec) -> str:
    """Spaces and limit in one line."""
    space = spec.action
    shape = "x".join(map(str, spec.observation.shape))
    seen = f"observation [{shape}] {np.dtype(spec.observation.dtype).name}"
    if isinstance(space, Discrete):
        acts = f"{space.size} actions"
    else:
        size = "x".join(map(str, space.shape))
        acts = f"action [{size}] in [{space.low:g}, {space.high:g}]"
    return f"{seen}, {acts}, {spec.max_steps} steps" + (", two players" if spec.players == 2 else "")


def random_actions(spec: EnvSpec, leading: tuple[int, ...], seed: int) -> np.ndarray:
    """Uniform actions with these leading axes."""
    generator, space = np.random.default_rng(seed), spec.action
    if isinstance(space, Discrete):
        return generator.integers(space.size, size=leading, dtype=np.int32)
    return generator.uniform(space.low, space.high, (*leading, *space.shape)).astype(np.float32)


def episode_findings(env: Environment, record: Record) -> list[Finding]:
    """What recorded episodes say: values, rewards, ends, and the functions of observations."""
    return [
        _finite(record),
        _bounds(env.spec, record),
        _rewards(record),
        _ends(env.spec, record),
        *_published(env, record),
    ]


def _finite(record: Record) -> Finding:
    for name, values in (("observation", record.after), ("reward", record.reward)):
        bad = ~np.isfinite(np.asarray(values, np.float64))
        if bad.any():
            step = int(np.argwhere(bad)[0][0])
            return Finding(
                "finite values", "fault", f"{name} is {values[bad][0]} in step {step} of random play"
            )
    return Finding("finite values", "ok", f"observations and rewards of {record.reward.size} random steps")


def _bounds(spec: EnvSpec, record: Record) -> Finding:
    low, high = float(record.after.min()), float(record.after.max())
    seen = f"observations from {low:g} to {high:g}"
    space = spec.observation
    slack = 1e-5 * max(1.0, abs(low), abs(high))
    if low < space.low - slack or high > space.high + slack:
        return Finding("bounds", "fault", f"{seen}, outside of the space [{space.low:g}, {space.high:g}]")
    if np.ptp(record.after.astype(np.float64), axis=(0, 1)).max() == 0:
        return Finding("bounds", "note", "the observation never changes")
    return Finding("bounds", "ok", seen)


def _rewards(record: Record) -> Finding:
    low, high = float(record.reward.min()), float(record.reward.max())
    if not max(abs(low), abs(high)) <= _FAR:
        return Finding("reward range", "fault", f"{low:g} to {high:g}: beyond {_FAR:g}, scale them")
    if low == high:
        return Finding("reward range", "note", f"always {low:g} in random play")
    return Finding("reward range", "ok", f"{low:.4g} to {high:.4g}")


def _ends(spec: EnvSpec, record: Record) -> Finding:
    """Termination (discount 0) against truncation (discount 1), and the limit."""
    last, cut, gone = record.last, record.truncated, record.discount == 0
    if ((record.discount < 0) | (record.discount > 1)).any():
        return Finding("termination", "fault", "discount must lie in [0, 1]")
    if (gone & ~last).any():
        return Finding("termination", "fault", "discount 0 in a step that is not the last of its episode")
    if (cut & gone).any():
        return Finding("termination", "fault", "truncated with discount 0: a limit is no end of the task")
    if (cut & ~last).any():
        return Finding("termination", "fault", "truncated in a step that is not the last of its episode")
    if (last & ~cut & ~gone).any():
        return Finding("termination", "fault", "a last step is neither truncated nor has discount 0")
    if _longest(last) > spec.max_steps:
        return Finding("termination", "fault", f"an episode is longer than its {spec.max_steps} steps")
    ends = f"{int((last & gone).sum())} terminated, {int(cut.sum())} truncated"
    return Finding("termination", "ok", f"{ends} of {int(last.sum())} episodes")


def _longest(last: np.ndarray) -> int:
    """Steps of the longest episode, those under way included."""
    longest, length = 0, np.zeros(last.shape[1], int)
    for row in last:
        length += 1
        longest = max(longest, int(length.max()))
        length[row] = 0
    return longest


def _published(env: Environment, record: Record) -> list[Finding]:
    found = [
        _compared("reward function", env.reward, (record.before, record.action, record.after), record.reward)
    ]
    ended = (record.last & ~record.truncated).astype(np.float32)
    found.append(_compared("end function", env.terminated, (record.after,), ended))
    features = env.features
    if features is not None:

        def restored(before: Any, after: Any) -> Any:
            return features.apply(before, features.target(before, after))

        found.append(_compared("features", restored, (record.before, record.after), record.after))
    return [finding for finding in found if finding is not None]


def _compared(name: str, function: Callable[..., Any] | None, inputs: tuple, expected: np.ndarray):
    """Whether a published function gives what the environment gave; None where it publishes none."""
    if function is None:
        return None
    try:
        given = np.asarray(function(*map(jnp.asarray, inputs)), np.float64)
    except Exception as error:  # the user's code
        return Finding(name, "fault", f"{type(error).__name__}: {str(error).strip().splitlines()[0]}")
    if given.shape != expected.shape:
        return Finding(name, "fault", f"shape {given.shape} where the environment gives {expected.shape}")
    gap = np.abs(given - expected) / (1 + np.abs(expected))
    if not gap.max() <= 1e-3:
        return Finding(name, "fault", f"differs from the environment by up to {gap.max():.3g} (relative)")
    return Finding(name, "ok", "as the environment")
