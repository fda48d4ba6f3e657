"""Figures of runs, and the committed JSON that published figures are drawn from."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from imaginax.runtime.metrics import read_metrics
from imaginax.runtime.run_directory import RunError, read_json, read_run, write_json
from imaginax.types import ConfigError

COLOURS = ("#2a6fbb", "#e07b39", "#3a9e6e", "#b5489d", "#7a6a53", "#c0392b", "#4db3c8", "#8a8f99")

RESULT_FIELDS = (
    "system",
    "env",
    "preset",
    "config",
    "commit",
    "device",
    "jax",
    "seeds",
    "env_steps",
    "return_mean",
    "return_per_seed",
    "wall_s",
    "headline",
)


class Curve(NamedTuple):
    """A learning curve: returns [S, T] of S seeds at T numbers of environment steps."""

    label: str
    env_steps: Float[np.ndarray, "T"]
    returns: Float[np.ndarray, "S T"]


# ------------------------------------------------------------------ drawing


def style() -> dict[Any, Any]:
    """The look of every figure of this library, for `matplotlib.rc_context`."""
    from cycler import cycler

    return {
        "axes.prop_cycle": cycler(color=COLOURS),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": "#555555",
        "axes.labelcolor": "#333333",
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#e6e6e6",
        "grid.linewidth": 0.8,
        "xtick.color": "#555555",
        "ytick.color": "#555555",
        "lines.linewidth": 2.0,
        "lines.solid_capstyle": "round",
        "legend.frameon": False,
        "font.size": 10,
        "figure.dpi": 150,
        "savefig.dpi": 150,
    }


def learning_curve(
    path: Path,
    curves: Sequence[Curve],
    *,
    title: str = "",
    ylabel: str = "return",
    references: dict[str, float] | None = None,
) -> Path:
    """Draws return against environment steps.

    A curve without a label is named by its number of seeds. One curve shows each of its seeds as a thin
    line under the mean; several curves show a band from the lowest to the highest seed.

    Args:
        path: the image; its ending chooses the format.
        curves: at least one.
        title: above the axes.
        ylabel: what the returns are.
        references: horizontal dashed lines by name, a published or an optimal return for example.

    Raises:
        RunError: if the file cannot be written.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(style()):
        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        axes = figure.add_subplot()
        for curve in curves:
            _draw(axes, curve, seeds_as_lines=len(curves) == 1)
        for name, value in (references or {}).items():
            axes.axhline(value, color="#999999", linestyle="--", linewidth=1.2, label=name)
        axes.set(xlabel="environment steps", ylabel=ylabel, title=title)
        axes.margins(x=0.02)
        if len(curves) > 1 or references or curves[0].returns.shape[0] > 1:
            axes.legend()
        return _save(figure, path)


def _draw(axes: Any, curve: Curve, *, seeds_as_lines: bool) -> None:
    """One curve: its seeds (lines or a band) and their mean."""
    shown = np.isfinite(curve.returns).any(axis=0)
    steps, returns = curve.env_steps[shown], curve.returns[:, shown]
    mean = np.nanmean(returns, axis=0) if returns.size else steps
    marker = "o" if steps.size <= 30 else None
    seeds = returns.shape[0]
    label = ", ".join(filter(None, [curve.label, f"mean of {seeds} seeds" if seeds > 1 else ""]))
    (line,) = axes.plot(steps, mean, marker=marker, markersize=4, label=label, zorder=3)
    if seeds > 1 and seeds_as_lines:
        axes.plot(steps, returns.T, color=line.get_color(), linewidth=0.9, alpha=0.4)
    elif seeds > 1:
        low, high = np.nanmin(returns, axis=0), np.nanmax(returns, axis=0)
        axes.fill_between(steps, low, high, color=line.get_color(), alpha=0.18, linewidth=0)


def _save(figure: Any, path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise RunError(f"cannot write {path}: {error}") from error
    return path


# --------------------------------------------------------- runs and results


def read_curve(source: Path | str) -> Curve:
    """The learning curve of a run directory (finished or not) or of a results file.

    Raises:
        ConfigError: if the source is neither, or holds no return yet.
    """
    source = Path(source)
    if source.suffix == ".json":
        result = read_results(source)
        per_seed = np.asarray(result["return_per_seed"], float)
        return Curve(f"{result['system']} {source.stem}", np.asarray(result["env_steps"], float), per_seed)
    directory, record = read_run(source)
    rows = [row for row in read_metrics(directory.metrics) if row.get("episode_return") is not None]
    if not rows:
        raise ConfigError(f"{source} holds no finished episode yet")
    per_seed = [row.get("per_seed", {}).get("episode_return", [row["episode_return"]]) for row in rows]
    label = f"{record['system']} on {record['env']}"
    return Curve(label, np.asarray([row["env_steps"] for row in rows], float), np.asarray(per_seed, float).T)


def results_record(logdir: Path | str, **extra: Any) -> dict[str, Any]:
    """What a finished run contributes to results/: its curve, configuration, commit and device.

    Args:
        logdir: the run directory.
        extra: further fields that a figure needs.

    Raises:
        ConfigError: if the run is not finished.
    """
    directory, record = read_run(logdir)
    summary = read_json(directory.summary) if directory.summary.exists() else {}
    if summary.get("status") != "finished":
        status = summary.get("status", "not finished")
        raise ConfigError(f"{directory.path} cannot become a result, its status is: {status}")
    curve = read_curve(logdir)
    return {
        "system": record["system"],
        "env": record["env"],
        "preset": record["preset"],
        "config": record["config"],
        "commit": commit(),
        "device": record["device"],
        "jax": record["versions"]["jax"],
        "seeds": record["seeds"],
        "env_steps": curve.env_steps.tolist(),
        "return_mean": np.nanmean(curve.returns, axis=0).tolist(),
        "return_per_seed": curve.returns.tolist(),
        "wall_s": summary["wall_s"],
        "headline": {
            "eval_return": summary["eval_return"],
            "best_return": float(np.mean(summary["best_return_per_seed"])),
        },
        **extra,
    }


def write_results(path: Path, record: dict[str, Any]) -> Path:
    """Writes results/<system>/<name>.json.

    Raises:
        ConfigError: if a field of the schema is missing.
    """
    _check_results(path, record)
    write_json(path, record)
    return path


def read_results(path: Path) -> dict[str, Any]:
    """Reads what `write_results` wrote, with the same check."""
    record = read_json(path)
    _check_results(path, record)
    return record


def _check_results(path: Path, record: dict[str, Any]) -> None:
    missing = [name for name in RESULT_FIELDS if name not in record]
    if missing:
        raise ConfigError(f"{path} is not a result: it lacks {', '.join(missing)}")


def commit() -> str:
    """The commit of this source tree, `-dirty` if it was changed since; "unknown" outside of git."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--abbrev=40"]
    command += ["--dirty", "--exclude", "*"]  # the commit itself, not its distance from a tag
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
