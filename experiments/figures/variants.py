"""What the figures of Dreamer and DreamerV2 share: runs of several variants, kept in one result, and bands.

A variant is a command, the words after `imaginax train`. Each is an ordinary run of several seeds at once:
one that is finished is not trained again, one that was stopped goes on. Words after `--` are added to every
command, as `-- --preset tiny --chunks 2`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from imaginax import cli
from imaginax.runtime import plotting, run_directory
from imaginax.runtime.curves import Curve, band

ROOT = Path(__file__).parents[2]
WINDOW = 0.04  # of the steps in a curve: the running mean


class Study(NamedTuple):
    """Variants that are compared.

    Attributes:
        result: the file, below results/.
        variants: name -> the words of its command.
        seeds: how many each is trained with.
    """

    result: str
    variants: Mapping[str, str]
    seeds: int = 3

    @property
    def path(self) -> Path:
        return ROOT / "results" / self.result


def measure(
    study: Study, names: Sequence[str], runs: Path, *, seeds: int | None = None, more: Sequence[str] = ()
) -> None:
    """Trains some variants and adds their curves to the result, whose own curve is the last one's."""
    for name in names:
        print(name, flush=True)
        logdir = runs / Path(study.result).with_suffix("") / name.replace(" ", "-")
        words = [*study.variants[name].split(), "--seeds", str(seeds or study.seeds), "--logdir", str(logdir)]
        if cli.main(["train", *words, *more]):
            sys.exit("the run failed")
        summary = run_directory.read_json(logdir / "summary.json")
        evaluated = summary["eval_return_per_seed"]
        record = plotting.results_record(logdir, eval_return_per_seed=evaluated)
        kept = ("env_steps", "return_per_seed", "wall_s", "headline", "commit", "device", "preset", "seeds")
        found = read(study) if study.path.exists() else {}
        found[name] = {key: record[key] for key in (*kept, "eval_return_per_seed")}
        plotting.write_results(study.path, record | {"variants": found})


def read(study: Study) -> dict[str, Any]:
    """What was measured of each variant, in the order of the study."""
    found = plotting.read_results(study.path)["variants"]
    return {name: found[name] for name in study.variants if name in found}


def curve(record: dict[str, Any], name: str) -> Curve:
    """Running means of each seed's returns."""
    returns = np.asarray(record["return_per_seed"], float)
    width = max(1, round(WINDOW * returns.shape[1]))
    return Curve(name, np.asarray(record["env_steps"], float), np.stack([_smooth(r, width) for r in returns]))


def _smooth(returns: np.ndarray, width: int) -> np.ndarray:
    """The mean of the last `width` values that there are."""
    known = np.isfinite(returns)
    weights = np.ones(width)
    count = np.convolve(known, weights)[: len(returns)]
    total = np.convolve(np.where(known, returns, 0.0), weights)[: len(returns)]
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def draw_curve(axes: Any, record: dict[str, Any], name: str) -> str:
    """A line and its band; gives what they are, for the legend."""
    shown = band(curve(record, name), "mean")
    (line,) = axes.plot(shown.env_steps, shown.centre, label=name)
    axes.fill_between(shown.env_steps, shown.low, shown.high, color=line.get_color(), alpha=0.2)
    return shown.words or "one seed"


def draw_curves(axes: Any, found: Mapping[str, dict[str, Any]], *, title: str) -> None:
    """All variants in one panel."""
    words = [draw_curve(axes, record, name) for name, record in found.items()]
    axes.set(title=title, xlabel="steps of the environment", ylabel="return")
    axes.legend(title=", ".join(dict.fromkeys(words)), fontsize=8, title_fontsize=8)


def draw_final(axes: Any, found: Mapping[str, dict[str, Any]]) -> None:
    """Bars: the evaluation without exploration at the end, a dot for each seed."""
    for place, (name, record) in enumerate(found.items()):
        seeds = np.asarray(record["eval_return_per_seed"], float)
        colour = plotting.COLOURS[place % len(plotting.COLOURS)]
        axes.bar(place, seeds.mean(), color=colour, label=name, alpha=0.7)
        axes.plot(np.full(len(seeds), place), seeds, "o", color="#333333", markersize=3)
    axes.set(title="evaluation at the end; dots are seeds", xticks=[])


def picture(study: Study, title: str) -> Path:
    """Curves on the left, evaluations on the right."""
    return save(study.path.with_suffix(".png"), 2, lambda axes: _both(axes, read(study), title))


def _both(axes: Sequence[Any], found: Mapping[str, dict[str, Any]], title: str) -> None:
    draw_curves(axes[0], found, title=title)
    draw_final(axes[1], found)


def save(path: Path, panels: int, paint: Callable[[Sequence[Any]], None]) -> Path:
    """A row of panels in the style of this library."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(plotting.style()):
        figure = Figure(figsize=(5.5 * panels, 4), layout="constrained")
        paint(figure.subplots(1, panels, squeeze=False)[0])
        figure.savefig(path)
    return path


def main(doc: str | None, studies: Mapping[str, Study], draw: Callable[[], Path]) -> None:
    """The command line of a figure; with several studies variants are named `study:variant`."""
    several = len(studies) > 1
    choices = {
        f"{key}:{name}" if several else name: (study, name)
        for key, study in studies.items()
        for name in study.variants
    }
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--run", nargs="*", metavar="VARIANT", help="default: all")
    parser.add_argument("--seeds", type=int, help="default: the figure's own number")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "figures", help="where runs are kept")
    words = sys.argv[1:]
    split = words.index("--") if "--" in words else len(words)
    options = parser.parse_args(words[:split])
    if options.run is not None:
        for choice in options.run or choices:
            if choice not in choices:
                parser.error(f"unknown variant {choice!r}; known: {', '.join(choices)}")
            study, name = choices[choice]
            measure(study, [name], options.runs, seeds=options.seeds, more=words[split + 1 :])
    there = any(study.path.exists() for study in studies.values())
    print(draw() if there else "no result yet: --run makes it")
