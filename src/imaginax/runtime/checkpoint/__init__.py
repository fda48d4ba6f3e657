"""Checkpoints that are whole or absent.

    checkpoints/<step>/state/         the arrays, as zarr
    checkpoints/<step>/index.json     path, shape and type of each array; the run's progress
    checkpoints/<step>/manifest.json  size and sha256 of every other file, written last

A checkpoint is written beside its place and renamed into it, so a run that is killed leaves either all
of it or nothing. No array format notices a flipped bit: the manifest is checked before anything is
loaded. Nothing in a checkpoint is code, and nothing is loaded that the state of this very configuration
does not ask for.

With several processes (jax.distributed and a file system that all of them see) every process writes its
own shards and process 0 all the rest; a state can be restored on any number of devices and processes.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import jax
from jaxtyping import PyTree

from imaginax.runtime.checkpoint import arrays, files
from imaginax.runtime.checkpoint.files import CheckpointError
from imaginax.runtime.checkpoint.peers import Peers
from imaginax.types import ConfigError

__all__ = ["CheckpointError", "Restored", "Saver", "load", "restore", "save", "steps", "verify"]


class Restored(NamedTuple):
    """A loaded checkpoint.

    Attributes:
        step: its number.
        state: the arrays, in the structure that was asked for.
        progress: the JSON object saved with it.
        skipped: one line for each newer checkpoint that was invalid.
    """

    step: int
    state: PyTree
    progress: dict[str, Any]
    skipped: tuple[str, ...]


# ------------------------------------------------------------------- saving


class Saver:
    """Writes checkpoints in the background, one at a time; a context that ends when the last is written.

    Every process of the run makes one and calls it in the same order.

    Args:
        directory: the run's checkpoints/.
        keep: how many of the newest stay.

    Raises:
        ConfigError: if none would stay.
        CheckpointError: from `save`, `wait` and the end of the context, if a checkpoint could not be
            written, on a full disk for example; older ones stay as they are.
    """

    def __init__(self, directory: Path, *, keep: int = 2):
        if keep < 1:
            raise ConfigError(f"saving.keep must be at least 1, got {keep}")
        self._directory = directory
        self._keep = keep
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._pending: Future[None] | None = None

    def __enter__(self) -> Saver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.wait()
        except CheckpointError as failure:
            if error is None:
                raise
            error.add_note(str(failure))  # what ended the context matters more
        finally:
            self._writer.shutdown()

    def save(self, step: int, state: PyTree, *, progress: dict[str, Any]) -> None:
        """Starts to write checkpoint `step`, after the one under way, if any, is written.

        It returns when everything is copied: the state may then be donated or overwritten. The copy is
        all the host memory that it takes besides, until the checkpoint is written.

        Args:
            step: its number; one of the same number is replaced.
            state: any pytree of arrays, typed PRNG keys included.
            progress: a JSON object that resuming needs besides.
        """
        self.wait()
        target = self._directory / str(step)
        try:
            index = files.to_json({"step": step, "arrays": _entries(state), "progress": progress})
        except CheckpointError as error:
            raise CheckpointError(f"cannot write checkpoint {target}: {error}") from error
        self._pending = self._writer.submit(self._write, target, arrays.take(state), index, Peers())

    def wait(self) -> None:
        """Returns when the checkpoint under way, if any, is on the disk."""
        if self._pending is not None:
            error = self._pending.exception()
            self._pending = None
            if error:
                raise error

    def _write(self, target: Path, copies: list[arrays.HostArray], index: str, peers: Peers) -> None:
        folder = files.unfinished(target)
        try:
            peers.lead(lambda: _begin(folder, copies))
            peers.all(lambda: arrays.write(folder / "state", copies))
            peers.lead(lambda: _finish(folder, target, index, self._keep))
        except Exception as error:  # tensorstore and the file system raise many kinds
            if jax.process_index() == 0:
                shutil.rmtree(folder, ignore_errors=True)
            line = f"cannot write checkpoint {target}: {files.first_line(error)}"
            raise CheckpointError(line) from error


def save(directory: Path, step: int, state: PyTree, *, progress: dict[str, Any], keep: int = 2) -> Path:
    """Writes checkpoint `step`, waits for it and gives its folder; see `Saver`."""
    with Saver(directory, keep=keep) as saver:
        saver.save(step, state, progress=progress)
    return directory / str(step)


def steps(directory: Path) -> list[int]:
    """Numbers of the checkpoints in a folder, valid or not, newest first."""
    return [step for step, path in files.candidates(directory) if path.name == str(step)]


def _begin(folder: Path, copies: list[arrays.HostArray]) -> None:
    files.discard_unfinished(folder.parent)
    (folder / "state").mkdir(parents=True)
    arrays.create(folder / "state", copies)


def _finish(folder: Path, target: Path, index: str, keep: int) -> None:
    (folder / "index.json").write_text(index)
    files.write_manifest(folder)
    files.move(folder, target)
    files.tidy(target, keep)


def _entries(tree: PyTree) -> list[dict[str, Any]]:
    """What each array of a state is."""
    return [
        {"path": jax.tree_util.keystr(path), "shape": list(leaf.shape), "dtype": str(leaf.dtype)}
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    ]


# ---------------------------------------------------------------- restoring


def restore(
    directory: Path, like: PyTree, *, resized: Callable[[dict[str, Any]], bool] = lambda progress: False
) -> Restored | None:
    """The newest valid checkpoint, or None where there is none at all.

    Process 0 decides which one it is and all follow.

    Args:
        directory: the run's checkpoints/.
        like: the state's structure, shapes and types, as `jax.eval_shape` gives them. A leaf with a
            sharding is restored onto it, whatever it was saved from; others onto the default device.
        resized: progress -> whether arrays may have other sizes than `like`. They then come as they were
            saved, onto the default device.

    Raises:
        CheckpointError: if there are checkpoints but none is valid, or if the newest valid one is of a
            state with other shapes or types; it names them.
    """
    peers = Peers()
    found = peers.lead(lambda: _newest_valid(directory, like, resized))
    if found is None:
        return None
    as_saved = _sized(like, found["shapes"])
    progress, state = peers.all(lambda: _read(directory / found["folder"], as_saved))
    return Restored(found["step"], state, progress, tuple(found["skipped"]))


def load(path: Path, like: PyTree) -> Restored:
    """One checkpoint, whichever others there are.

    Args:
        path: its folder.
        like: as for `restore`.

    Raises:
        CheckpointError: if it is invalid or of another state.
    """
    index = verify(path)
    if index["arrays"] != _entries(like):
        raise CheckpointError(f"checkpoint {path} is of another state: {_difference(index, like)}")
    with _validity(path):
        arrays.check(path / "state", like)
    progress, state = _read(path, like)
    return Restored(index["step"], state, progress, ())


def verify(path: Path) -> dict[str, Any]:
    """Checks every byte of a checkpoint against its manifest and returns its index.

    Raises:
        CheckpointError: naming the checkpoint and the first file that is missing, new or changed.
    """
    with _validity(path):
        files.check_manifest(path)
        return _read_index(path)


def _newest_valid(
    directory: Path, like: PyTree, resized: Callable[[dict[str, Any]], bool]
) -> dict[str, Any] | None:
    """Which checkpoint to restore, as JSON: every process has to hear of it."""
    skipped = []
    for step, path in files.candidates(directory):
        try:
            index = verify(path)
            shapes = [entry["shape"] for entry in index["arrays"]]
            as_saved = _sized(like, shapes) if resized(index["progress"]) and _fit(like, shapes) else like
            same = index["arrays"] == _entries(as_saved)
            with _validity(path):
                if index["step"] != step:
                    raise CheckpointError(f"it was saved as step {index['step']}")
                if same:
                    arrays.check(path / "state", as_saved)
        except CheckpointError as error:
            skipped.append(str(error))
            continue
        if not same:
            raise CheckpointError(f"checkpoint {path} is of another state: {_difference(index, like)}")
        return {"step": step, "folder": path.name, "skipped": skipped, "shapes": shapes}
    if skipped:
        raise CheckpointError(f"no valid checkpoint in {directory}: {'; '.join(skipped)}")
    return None


def _fit(like: PyTree, shapes: list[list[int]]) -> bool:
    """Whether these can be the shapes of its arrays."""
    leaves = jax.tree.leaves(like)
    return len(leaves) == len(shapes) and all(
        leaf.ndim == len(shape) and all(type(size) is int and size >= 0 for size in shape)
        for leaf, shape in zip(leaves, shapes, strict=True)
    )


def _sized(like: PyTree, shapes: list[list[int]]) -> PyTree:
    """`like` with other shapes; an array whose shape differs has no place either."""
    leaves = [
        leaf if list(leaf.shape) == shape else jax.ShapeDtypeStruct(tuple(shape), leaf.dtype)
        for leaf, shape in zip(jax.tree.leaves(like), shapes, strict=True)
    ]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _read(path: Path, like: PyTree) -> tuple[dict[str, Any], PyTree]:
    try:
        return _read_index(path)["progress"], arrays.read(path / "state", like)
    except Exception as error:  # tensorstore raises many kinds
        raise CheckpointError(f"cannot read checkpoint {path}: {files.first_line(error)}") from error


def _read_index(path: Path) -> dict[str, Any]:
    index, _ = files.read_json(path / "index.json")
    kinds = {"step": int, "arrays": list, "progress": dict}
    if not isinstance(index, dict) or {name: type(value) for name, value in index.items()} != kinds:
        raise CheckpointError("index.json is none")
    for entry in index["arrays"]:
        if not isinstance(entry, dict) or set(entry) != {"path", "shape", "dtype"}:
            raise CheckpointError("index.json lists something that is no array")
        if not all(isinstance(entry[name], str) and entry[name].isprintable() for name in ("path", "dtype")):
            raise CheckpointError("index.json names something that cannot be shown")
    return index


@contextlib.contextmanager
def _validity(path: Path) -> Iterator[None]:
    """Names the checkpoint in what goes wrong."""
    try:
        yield
    except (CheckpointError, OSError) as error:
        raise CheckpointError(f"checkpoint {path} is invalid: {files.first_line(error)}") from error


def _difference(index: dict[str, Any], like: PyTree) -> str:
    """Which arrays are not exactly those of the state to be restored."""
    old, new = (
        {entry["path"]: f"{entry['dtype']}{entry['shape']}" for entry in entries}
        for entries in (index["arrays"], _entries(like))
    )
    paths = [at for at in old | new if old.get(at) != new.get(at)]
    faults = [f"{at} is {old.get(at, 'absent')}, not {new.get(at, 'absent')}"[:200] for at in paths]
    return "; ".join(faults[:4] or ["the order of the arrays"]) + ("; ..." if len(faults) > 4 else "")
