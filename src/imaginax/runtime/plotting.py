"""Figures of runs, and the committed JSON that published figures are drawn from."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from imaginax.runtime.config import hint
from imaginax.runtime.curves import Curve, band
from imaginax.runtime.metrics import read_metrics
from imaginax.runtime.output import one_line
from imaginax.runtime.run_directory import RunError, read_json, read_run, write_json
from imaginax.types import ConfigError

COLOURS = ("#2a6fbb", "#e07b39", "#3a9e6e", "#b5489d", "#7a6a53", "#c0392b", "#4db3c8", "#8a8f99")

RETURN = "episode_return"  # its name in metrics.jsonl

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
    xlabel: str = "environment steps",
    ylabel: str = "return",
    statistic: str = "iqm",
    references: dict[str, float] | None = None,
) -> Path:
    """Draws return against environment steps, with a band over seeds that `curves.band` describes.

    A single curve shows each of its seeds as a thin line too. The legend, below the axes, says what each line
    and its band are; where there is nothing to say, there is none.

    Args:
        path: the image; its ending chooses the format.
        curves: at least one.
        title: above the axes.
        xlabel: what the curves' steps are, if they are not environment steps.
        ylabel: what the returns are.
        statistic: `iqm` or `mean`.
        references: horizontal dashed lines by name, a published or an optimal return for example.

    Raises:
        RunError: if the file cannot be written.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(style()):
        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        axes = figure.add_subplot()
        lines = [_draw(axes, curve, statistic, seeds_as_lines=len(curves) == 1) for curve in curves]
        for i, (name, value) in enumerate((references or {}).items()):
            pattern = _DASHES[i % len(_DASHES)]
            lines.append((name, axes.axhline(value, color="#888888", linestyle=pattern, linewidth=1.2)))
        axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
        axes.margins(x=0.02)
        axes.xaxis.set_major_formatter(lambda value, _: _short(value))
        _legend(figure, [(label, line) for label, line in lines if label])
        _take_literally(figure)
        return _save(figure, path)


_LONGEST = 80  # letters that fit into the width of a figure
_DASHES = ("--", ":", "-.", (0, (6, 2, 1, 2, 1, 2)))


def _draw(axes: Any, curve: Curve, statistic: str, *, seeds_as_lines: bool) -> tuple[str, Any]:
    """One curve: what its seeds have in common, the band and perhaps the seeds; its label and main line."""
    over = band(curve, statistic)
    label = ": ".join(filter(None, [curve.label, over.words]))
    marker = "o" if over.env_steps.size <= 30 else None
    (line,) = axes.plot(over.env_steps, over.centre, marker=marker, markersize=4, zorder=3)
    if over.words:
        axes.fill_between(
            over.env_steps, over.low, over.high, color=line.get_color(), alpha=0.18, linewidth=0
        )
    if over.words and seeds_as_lines:
        axes.plot(curve.env_steps, curve.returns.T, color=line.get_color(), linewidth=0.9, alpha=0.4)
    return label, line


def _legend(figure: Any, lines: Sequence[tuple[str, Any]]) -> None:
    """Below the axes, where it hides nothing.

    Words are set afterwards: matplotlib leaves out those that begin with an underscore.
    """
    if not lines:
        return
    figure.set_size_inches(6.4, 3.8 + 0.2 * len(lines))
    handles = [line for _, line in lines]
    legend = figure.legend(handles, ["?"] * len(lines), loc="outside lower center", ncols=1)
    for text, (label, _) in zip(legend.get_texts(), lines, strict=True):
        text.set_text(label)


def _take_literally(figure: Any) -> None:
    """Shows the names of runs as they are, on one line: no `$` begins a formula."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        words = one_line(text.get_text())
        half = _LONGEST // 2
        text.set_text(words if len(words) <= _LONGEST else f"{words[:half]}…{words[-half:]}")
        text.set(parse_math=False, usetex=False)


def _short(value: float) -> str:
    """1500, 20k, 1.5M: ticks that stay apart."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):g}{letter}"
    return f"{value:g}"


def _save(figure: Any, path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise RunError(f"cannot write {path}: {error}") from error
    return path


# --------------------------------------------------------- runs and results


def read_curve(source: Path | str, *, metric: str = RETURN, x: str = "env_steps") -> Curve:
    """The learning curve of a run directory (finished or not) or of a results file.

    Args:
        source: either.
        metric: a name in metrics.jsonl; a results file has the return only.
        x: `env_steps` or `wall_s`; a results file has the steps only.

    Raises:
        ConfigError: if the source is neither, or holds no such value yet.
    """
    source = Path(source)
    if source.suffix == ".json":
        result = read_results(source)
        if (metric, x) != (RETURN, "env_steps"):
            raise ConfigError(f"{source} has {RETURN} by env_steps only; name the run directory instead")
        per_seed = np.asarray(result["return_per_seed"], float)
        return Curve(f"{result['system']} {source.stem}", np.asarray(result["env_steps"], float), per_seed)
    directory, record = read_run(source)
    every = read_metrics(directory.metrics)
    rows = [row for row in every if row.get(metric) is not None]
    if not rows:
        raise ConfigError(f"{source} holds no {_lacking(metric, every)}")
    per_seed = [row.get("per_seed", {}).get(metric, [row[metric]]) for row in rows]
    label = f"{record['system']} on {record.get('env')}"
    return Curve(label, np.asarray([row[x] for row in rows], float), np.asarray(per_seed, float).T)


def _lacking(metric: str, rows: Sequence[dict[str, Any]]) -> str:
    if metric == RETURN:
        return "finished episode yet"
    columns = {"step", "env_steps", "wall_s", "stage", "per_seed"}
    names = dict.fromkeys(name for row in rows for name in row if name not in columns)
    return f"value of {metric!r}; {hint(metric, list(names))}"


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
    """The commit of this source tree; "unknown" outside of git.

    It ends with `-dirty` if code that can run differs from it; results, which scripts write, may differ.
    """
    git = ["git", "-C", str(Path(__file__).parent)]
    code = [":/src", ":/experiments", ":/benchmarks"]
    try:
        name = _output([*git, "rev-parse", "HEAD"])
        changed = _output([*git, "status", "--porcelain", "--untracked-files=no", "--", *code])
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{name}-dirty" if changed else name


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
