"""Promises about whole runs: repeated, stopped and resumed, killed, damaged (2, 3 and 6)."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import hashlib
import itertools
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from imaginax import cli, registry
from imaginax.data.replay import Ring
from imaginax.runtime import checkpoint, run
from imaginax.runtime import config as configs
from imaginax.runtime.metrics import read_metrics
from imaginax.runtime.run_directory import RunDirectory, RunError, read_json, read_run
from imaginax.types import ConfigError
from tests.contract.parallel import CHILD

PATIENCE = 300.0  # seconds for a child on a busy machine
OF_A_KIND = 4  # files that are damaged; the names of a kind differ in numbers alone
# Where a run is started must not matter: how jax is set, the locale, the clock, the order of sets.
ELSEWHERE = {
    "JAX_ENABLE_X64": "1",
    "JAX_DEFAULT_PRNG_IMPL": "rbg",
    "JAX_THREEFRY_PARTITIONABLE": "0",
    "JAX_RANDOM_SEED_OFFSET": "7",
    "JAX_NUMPY_DTYPE_PROMOTION": "strict",
    "JAX_NUMPY_RANK_PROMOTION": "raise",
    "PYTHONHASHSEED": "7",
    "LC_ALL": "C",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONUTF8": "0",
    "TZ": "Pacific/Chatham",
    "PYTHONPATH": os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path),
}
UNDER_WAY = 2  # chunks whose checkpoints may still be on their way to disk


class Outcome(NamedTuple):
    """What a finished run must repeat: rows of metrics, sha256 of the last state, evaluation returns."""

    rows: list[dict]
    state: str
    returns: list[float]


def outcome(logdir: Path) -> Outcome:
    """Reads a run; of its rows all but the clock's readings."""
    directory, record = read_run(logdir)
    entry = registry.entry(record["system"])
    system = entry.make(entry.preset("tiny", None))
    rows = [row | {"wall_s": None} for row in read_metrics(directory.metrics)]
    returns = read_json(directory.summary)["eval_return_per_seed"]
    return Outcome(rows, digest(run.reload(system, directory, record).state), returns)


def digest(state) -> str:
    """sha256 of every bit of a state, keys included."""
    total = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        data = jax.random.key_data(leaf) if jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
        total.update(f"{jax.tree_util.keystr(path)} {leaf.dtype} {leaf.shape}".encode())
        total.update(np.asarray(data).tobytes())
    return total.hexdigest()


def words(name: str, logdir: Path) -> list[str]:
    """The command line of a run that saves after every chunk."""
    return ["train", name, "--preset", "tiny", "--logdir", str(logdir), "--save-every", "0"]


def start(name: str, logdir: Path, *first: str) -> subprocess.Popen:
    """A run in a process of its own, elsewhere; `first` are options of the child script."""
    plain = not first and not name.startswith("toy")
    program = ["-m", "imaginax.cli"] if plain else [str(CHILD), "cli", *first]
    command = [sys.executable, *program, *words(name, logdir)]
    return subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | ELSEWHERE,
        cwd=logdir.parent,
        umask=0o077,
    )


def finish(child: subprocess.Popen) -> int:
    """The exit code of a child; its complaint is shown where it fails."""
    error = child.communicate(timeout=PATIENCE)[1]
    assert child.returncode in (0, -9), error
    assert "Traceback" not in error, error
    return child.returncode


# ---------------------------------------------------------------- promises


def same_end(name: str, whole: Outcome, folder: Path, *, kills: int = 1, disturb=None) -> dict[str, int]:
    """Stopped, killed and started again, in processes of their own, a run comes bit for bit to the same end.

    SIGTERM and Ctrl-C stop it within one chunk; SIGKILL comes at random moments. A run that is at its end
    before it was killed often enough is compared, and another one begun.

    Args:
        name: the system.
        whole: an undisturbed run.
        folder: for run directories.
        kills: how many.
        disturb: called with the run directory after each kill, to plant a fault.
    """
    moments, survived, lost, round_ = random.Random(0), 0, 0, 0
    _stop(name, folder / "run_0")
    while survived < kills:
        logdir, round_ = folder / f"run_{round_}", round_ + 1
        while survived < kills and _kill(name, logdir, moments):
            survived += 1
            if disturb:
                disturb(logdir)
            lost = max(lost, _lost(logdir))
        finish(start(name, logdir))
        _same(outcome(logdir), whole)
    return {"stops": 2, "kills": survived, "chunks lost at most": lost}


def is_made_longer(entry, trained: Path, folder: Path) -> dict[str, int]:
    """A finished run goes on for one more round, and what it did before stays as it is.

    Args:
        entry: the system.
        trained: a finished run.
        folder: for a copy of it.
    """
    shutil.copytree(trained, folder)
    before, rows = read_json(folder / "summary.json"), read_metrics(folder / "metrics.jsonl")
    config = entry.preset("tiny", None)
    more = [word for name in config.lengths for word in (f"--{name}", str(_one_more(config, name)))]
    assert more, f"no field of {entry.name} says how long it trains"
    system = entry.make(configs.parse(entry, "tiny", None, more))
    _same_experience(entry.make(config), system, folder)
    assert cli.main([*words(entry.name, folder), *more]) == 0
    after, grown = read_json(folder / "summary.json"), read_metrics(folder / "metrics.jsonl")
    chunks = sum(stage.chunks for stage in system.schedule)
    assert after["status"] == "finished" and grown[: len(rows)] == rows
    assert [row["step"] for row in grown] == list(range(1, chunks + 1)) and chunks > len(rows)
    assert after["env_steps_per_chunk"][: len(rows)] == before["env_steps_per_chunk"]
    assert cli.main(words(entry.name, folder)) == 2, "a shorter one is refused"
    return {"chunks": len(rows), "then": chunks}


def _one_more(config, name: str) -> int:
    """The next length that a configuration accepts."""
    for length in itertools.count(getattr(config, name) + 1):
        with contextlib.suppress(ConfigError):
            dataclasses.replace(config, **{name: length})
            return length
    raise AssertionError


def _same_experience(short, long, folder: Path) -> None:
    """What replay holds, the oldest first, and whatever else has the same shape, is the same."""
    directory, record = read_run(folder)
    old, new = (run.reload(system, directory, record).state for system in (short, long))
    held = [_held(system, state) for system, state in ((short, old), (long, new))]
    jax.tree.map(np.testing.assert_array_equal, *held)
    rest = zip(*(jax.tree.leaves(state._replace(replay=())) for state in (old, new)), strict=True)
    same = [digest(a) == digest(b) for a, b in rest if a.shape == b.shape]
    assert all(same)


def _held(system, state) -> list[np.ndarray]:
    """The filled part of replay in the order in which it came."""
    data = system.replay.data(jax.tree.map(lambda leaf: leaf[0], state.replay))
    if isinstance(data, Ring):
        items, count, start, axis = data.items, int(data.count), int(data.start), 1
    elif isinstance(data, tuple):
        (items, count), start, axis = data, 0, 0
    else:  # a model that is fitted keeps no experience
        return [np.asarray(data)]
    order = (start + np.arange(int(count))) % jax.tree.leaves(items)[0].shape[axis]
    return [np.take(np.asarray(leaf), order, axis=axis) for leaf in jax.tree.leaves(items)]


def _stop(name: str, logdir: Path) -> None:
    done = 0
    for number in ("SIGTERM", "SIGINT"):
        assert finish(start(name, logdir, "--stop-at", "1", number)) == 0
        summary = read_json(logdir / "summary.json")
        assert summary["status"] == "stopped", f"{number} did not stop the run"
        rows = len(read_metrics(logdir / "metrics.jsonl"))
        assert done + 1 <= rows <= done + 2, f"{rows - done - 1} chunks were run after {number}"
        assert checkpoint.steps(logdir / "checkpoints")[0] == rows, f"{number} did not save"
        done = rows


def _kill(name: str, logdir: Path, moments: random.Random) -> bool:
    """Runs until a random moment after the first new row, or earlier; False if the run was done before."""
    metrics = logdir / "metrics.jsonl"
    before, early = len(read_metrics(metrics)), moments.random() < 0.2
    child, began = start(name, logdir), time.monotonic()
    wait = moments.uniform(0.5, 4.0) if early else PATIENCE
    while child.poll() is None and time.monotonic() - began < wait and len(read_metrics(metrics)) <= before:
        time.sleep(0.01)
    if not early:
        time.sleep(moments.uniform(0.0, 0.5))
    child.kill()
    return finish(child) == -9


def _lost(logdir: Path) -> int:
    """Chunks that were logged but are not in the newest valid checkpoint."""
    rows = len(read_metrics(logdir / "metrics.jsonl"))
    for step in checkpoint.steps(logdir / "checkpoints"):
        try:
            checkpoint.verify(logdir / "checkpoints" / str(step))
        except RunError:
            continue
        assert rows - step <= UNDER_WAY, f"{rows - step} chunks are lost, {UNDER_WAY} may be"
        return max(0, rows - step)
    assert rows <= UNDER_WAY, f"all {rows} chunks are lost"
    return rows


def finds_damage(logdir: Path, copy: Path) -> dict[str, int]:
    """One flipped bit in, or a lost end of, files of every kind of a run's newest checkpoint is found."""
    directory = RunDirectory(logdir)
    source = directory.checkpoints / str(checkpoint.steps(directory.checkpoints)[0])
    checkpoint.verify(source)
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source, copy)
    moments, kinds, found = random.Random(0), collections.Counter(), {"flips found": 0, "cuts found": 0}
    for path in sorted(path for path in copy.rglob("*") if path.is_file()):
        name = path.relative_to(copy).as_posix()
        kind = "".join(letter for letter in name if not letter.isdecimal())
        kinds[kind] += 1
        if kinds[kind] > OF_A_KIND:
            continue
        whole = path.read_bytes()
        for what, damage in (("flips found", _flip), ("cuts found", _cut)):
            if damage(path, moments):
                _must_refuse(copy, f"{what.split()[0]} in {name}")
                found[what] += 1
            path.write_bytes(whole)
    checkpoint.verify(copy)
    return found | {"kinds of file": len(kinds)}


def _must_refuse(folder: Path, what: str) -> None:
    try:
        checkpoint.verify(folder)
    except RunError:
        return
    raise AssertionError(f"not found: {what}")


def _flip(path: Path, moments: random.Random) -> bool:
    data = bytearray(path.read_bytes())
    if data:
        data[moments.randrange(len(data))] ^= 1 << moments.randrange(8)
        path.write_bytes(data)
    return bool(data)


def _cut(path: Path, moments: random.Random) -> bool:
    data = path.read_bytes()
    path.write_bytes(data[: moments.randrange(len(data))] if data else b"")
    return bool(data)


def _same(got: Outcome, wanted: Outcome) -> None:
    assert got.rows == wanted.rows, next(
        (
            f"row {a['step']} differs: {a} and {b}"
            for a, b in zip(got.rows, wanted.rows, strict=False)
            if a != b
        ),
        f"{len(got.rows)} rows, not {len(wanted.rows)}",
    )
    assert got.state == wanted.state, "the last state differs"
    assert got.returns == wanted.returns, f"the evaluation differs: {got.returns} and {wanted.returns}"
