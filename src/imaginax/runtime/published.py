"""Published scores, and a run beside them at equal environment steps.

The scores ship with the package (`imaginax/data/published`): those of the DeepMind control suite, with the
paper of each method and the file that the numbers are from.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from imaginax.runtime.config import hint
from imaginax.runtime.curves import ENOUGH, Curve
from imaginax.runtime.statistics import iqm, stratified_bootstrap
from imaginax.types import ConfigError

_WINDOW = 0.1  # of the steps until a point: whose episodes count for it
_CLOSE = 0.02  # by how much a point may lie beyond the end of a run that is compared there


class Published(NamedTuple):
    """The scores of a method on a task.

    Attributes:
        method: its name.
        observation: `pixels` or `state`.
        env_steps: where scores are known, ascending.
        mean: mean return there.
        deviation: standard deviation over seeds; NaN where none is published.
        seeds: number of seeds; 0 where it is not published.
        source: paper and file.
    """

    method: str
    observation: str
    env_steps: Float[np.ndarray, "T"]
    mean: Float[np.ndarray, "T"]
    deviation: Float[np.ndarray, "T"]
    seeds: int
    source: str


class Verdict(NamedTuple):
    """A run beside a method.

    Attributes:
        method: its name.
        env_steps: where they are compared; None where the run has not come to the first published point.
        ours: IQM of the run's seeds there; of fewer than three their mean.
        low: lower end of its 95% interval; NaN for fewer than three seeds.
        high: upper end.
        theirs: the published mean.
        sentence: the same in words.
    """

    method: str
    env_steps: float | None
    ours: float
    low: float
    high: float
    theirs: float
    sentence: str


def task_of(env: str) -> str | None:
    """The control suite's task that an environment is, `cartpole_swingup` for example; None if it is none."""
    if env.startswith("control_"):
        return env.removeprefix("control_")
    if env.startswith("dmc:"):
        return env.removeprefix("dmc:").replace("-", "_").replace("ball_in_cup", "cup")
    return None


def observation_of(config: dict[str, Any]) -> str:
    """What the system of a config.json sees: `pixels`, or the `state`."""
    return "pixels" if config.get("image") else "state"


def scores(env: str, observation: str) -> list[Published]:
    """The published scores of an environment, from the same kind of observation.

    Raises:
        ConfigError: if there are none.
    """
    rows, task = _rows("control_suite.csv"), task_of(env)
    chosen: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        if row["task"] == task and row["observation"] == observation:
            chosen.setdefault(row["method"], []).append(row)
    if not chosen:
        known = sorted({f"control_{row['task']}" for row in rows if row["observation"] == observation})
        raise ConfigError(f"no published scores of env {env} from {observation}; {hint(env, known)}")
    sources = {row["method"]: f"{row['paper']}; {row['scores']}" for row in _rows("sources.csv")}
    return [_published(method, of, sources[method]) for method, of in chosen.items()]


def _rows(name: str) -> list[dict[str, str]]:
    text = resources.files("imaginax").joinpath("data", "published", name).read_text()
    return list(csv.DictReader(text.splitlines()))


def _published(method: str, rows: Sequence[dict[str, str]], source: str) -> Published:
    def column(name: str) -> np.ndarray:
        return np.asarray([float(row[name] or "nan") for row in rows])

    order = np.argsort(column("env_steps"))
    steps, mean, deviation = (column(name)[order] for name in ("env_steps", "mean_return", "std_over_seeds"))
    return Published(
        method, rows[0]["observation"], steps, mean, deviation, int(rows[0]["seeds"] or 0), source
    )


def verdict(curve: Curve, published: Published) -> Verdict:
    """A run beside a method, at the last published point that the run has come to, within 2%."""
    method, last = published.method, curve.env_steps[-1]
    reached = np.flatnonzero(published.env_steps <= (1 + _CLOSE) * last)
    none = float("nan")
    if not reached.size:
        first = published.env_steps[0]
        sentence = f"{method}: published from {_count(first)} steps on; the run has {_count(last)}"
        return Verdict(method, None, none, none, none, none, sentence)
    point = int(reached[-1])
    steps, theirs = published.env_steps[point], float(published.mean[point])
    ours = at(curve, steps)
    ours = ours[np.isfinite(ours)]
    if not ours.size:
        sentence = f"{method}: no episode of the run ended before {_count(steps)} steps"
        return Verdict(method, steps, none, none, none, theirs, sentence)
    low = high = none
    if ours.size >= ENOUGH:
        centre, low, high = stratified_bootstrap([ours])
        told = f"{centre:.0f} (IQM of {ours.size} seeds, {low:.0f} to {high:.0f})"
    else:
        centre = float(iqm(ours))
        told = f"{centre:.0f} ({'one seed' if ours.size == 1 else '2 seeds'}: no interval)"
    relation = _relation(theirs, centre, low, high)
    beside = f"{method}'s {theirs:.0f}{_spread(published, point)}"
    sentence = f"{method}: at {_count(steps)} steps the run's {told} is {relation} {beside}"
    return Verdict(method, float(steps), float(centre), low, high, theirs, sentence)


def at(curve: Curve, steps: float) -> Float[np.ndarray, "S"]:
    """Mean return of each seed in the last tenth of so many steps, else the last before; NaN without any."""
    before = curve.env_steps <= steps
    near = before & (curve.env_steps > (1 - _WINDOW) * steps)
    found = []
    for returns in curve.returns:
        ended = np.isfinite(returns)
        if (near & ended).any():
            found.append(returns[near & ended].mean())
        else:
            earlier = returns[before & ended]
            found.append(earlier[-1] if earlier.size else np.nan)
    return np.asarray(found, float)


def _relation(theirs: float, centre: float, low: float, high: float) -> str:
    if np.isnan(low):
        return "above" if centre > theirs else "below" if centre < theirs else "equal to"
    return "above" if low > theirs else "below" if high < theirs else "level with"


def _spread(published: Published, point: int) -> str:
    parts = [f"{published.seeds} seeds"] if published.seeds else []
    if np.isfinite(published.deviation[point]):
        parts.append(f"standard deviation {published.deviation[point]:.0f}")
    return f" ({', '.join(parts)})" if parts else ""


def _count(steps: float) -> str:
    return f"{round(steps):,}".replace(",", " ")


def drawn(published: Sequence[Published], last: float) -> tuple[list[Curve], dict[str, float]]:
    """Published scores for a figure: curves as far as the run goes, and later scores as horizontal lines.

    Args:
        published: the scores.
        last: steps of the run.
    """
    curves, lines = [], {}
    for one in published:
        near = one.env_steps <= 1.3 * last
        if near.any():
            label = f"{one.method}, published" + (f" ({one.seeds} seeds)" if one.seeds else "")
            curves.append(Curve(label, one.env_steps[near], one.mean[near][None]))
        else:
            lines[f"{one.method}, published, at {_count(one.env_steps[-1])} steps"] = float(one.mean[-1])
    return curves, lines
