"""Checks of an environment of the host: two copies are played, each twice with the same seeds and actions."""

from __future__ import annotations

import contextlib

import numpy as np

from imaginax.envs.checks.findings import Finding, Record, describe, episode_findings, random_actions
from imaginax.errors import ConfigError
from imaginax.types import Environment

_LONGEST = 1000  # steps of random play


def check(env: Environment, *, episodes: int, seed: int) -> list[Finding]:
    """Findings from random episodes; an environment that fails in its own code gives one fault."""
    found = [Finding("specification", "ok", describe(env.spec))]
    try:
        record, frame = _play(env, episodes, seed)
        again, _ = _play(env, episodes, seed)
    except ConfigError as error:  # in the words of the environment
        return [*found, Finding("random play", "fault", str(error))]
    found += [_shapes(env, record), _deterministic(record, again), _drawn(frame)]
    if any(finding.verdict == "fault" and finding.name == "shapes" for finding in found):
        return found
    return [*found, *episode_findings(env, record)]


def _play(env: Environment, episodes: int, seed: int) -> tuple[Record, np.ndarray | None]:
    steps = min(env.spec.max_steps, _LONGEST) + 1
    actions = random_actions(env.spec, (steps, episodes), seed)
    rows = []
    with contextlib.closing(env.host(episodes, render=True)) as vector:
        timestep = vector.reset(np.arange(episodes, dtype=np.uint32) + seed, np.zeros(episodes, np.int32))
        for action in actions:
            vector.send(action)
            following = vector.receive()
            rows.append((timestep.observation, action, following.final_observation, *_numbers(following)))
            timestep = following
        frame = vector.render()
    return Record(*(np.stack(column) for column in zip(*rows, strict=True))), frame


def _numbers(timestep) -> tuple[np.ndarray, ...]:
    return timestep.reward, timestep.discount, timestep.last, timestep.truncated


def _shapes(env: Environment, record: Record) -> Finding:
    seen, wanted = record.after.shape[2:], env.spec.observation.shape
    if seen != wanted:
        return Finding("shapes", "fault", f"observations have shape {seen}, should be {wanted}")
    return Finding("shapes", "ok", "as the specification says")


def _deterministic(record: Record, again: Record) -> Finding:
    same = all(np.array_equal(a, b, equal_nan=True) for a, b in zip(record, again, strict=True))
    if not same:
        told = "the same seeds and actions gave something else the second time: a run cannot be repeated"
        return Finding("determinism", "fault", told)
    return Finding("determinism", "ok", "the same seeds and actions give the same episodes")


def _drawn(frame: np.ndarray | None) -> Finding:
    if frame is None:
        return Finding("render", "note", "cannot be drawn here: no GIF, and no training from pixels")
    return Finding("render", "ok", f"{frame.shape[0]} x {frame.shape[1]} pixels")
