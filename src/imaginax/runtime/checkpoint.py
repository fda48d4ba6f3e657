"""Checkpoints that are whole or absent.

    checkpoints/<step>/state/         the arrays, written by orbax as a flat list
    checkpoints/<step>/index.json     path, shape and type of each array; the run's progress
    checkpoints/<step>/manifest.json  size and sha256 of every other file, written last

A checkpoint is written beside its place and renamed into it, so a run that is killed leaves either all
of it or nothing. Orbax restores a file with a flipped bit without complaint: the manifest is checked
before anything is loaded. Nothing in a checkpoint is code, and nothing is loaded that the state of this
very configuration does not ask for.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from imaginax.runtime.run_directory import RunError


class CheckpointError(RunError):
    """A checkpoint that cannot be written or must not be loaded."""


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


def save(directory: Path, step: int, state: PyTree, *, progress: dict[str, Any], keep: int = 2) -> Path:
    """Writes checkpoint `step` and removes all but the newest `keep`.

    Args:
        directory: the run's checkpoints/.
        step: its number.
        state: any pytree of arrays, typed PRNG keys included.
        progress: a JSON object that resuming needs besides.
        keep: how many checkpoints stay.

    Raises:
        CheckpointError: if it cannot be written, on a full disk for example; older ones stay as they are.
    """
    target = directory / str(step)
    temporary = directory / f".writing-{step}"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        arrays, entries = _flatten(state)
        _write_arrays(temporary / "state", arrays)
        _write(temporary / "index.json", {"step": step, "arrays": entries, "progress": progress})
        _write(temporary / "manifest.json", _digests(temporary))
        _move(temporary, target)
    except Exception as error:  # orbax and tensorstore raise many kinds
        shutil.rmtree(temporary, ignore_errors=True)
        raise CheckpointError(f"cannot write checkpoint {target}: {_first_line(error)}") from error
    for old in steps(directory)[keep:]:
        shutil.rmtree(directory / str(old), ignore_errors=True)
    return target


def steps(directory: Path) -> list[int]:
    """Numbers of the checkpoints in a folder, valid or not, newest first."""
    if not directory.is_dir():
        return []
    return sorted((int(path.name) for path in directory.iterdir() if path.name.isdecimal()), reverse=True)


def _flatten(state: PyTree) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """Arrays by number, and what each of them is. Orbax cannot hold arrays without entries."""
    arrays, entries = {}, []
    for number, (path, leaf) in enumerate(jax.tree_util.tree_leaves_with_path(state)):
        entry = _entry(path, leaf)
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            entry["impl"] = str(jax.random.key_impl(leaf))
            leaf = jax.random.key_data(leaf)
        if leaf.size:
            arrays[_name(number)] = np.asarray(leaf)
        entries.append(entry)
    return arrays, entries


def _name(number: int) -> str:
    return f"array_{number:05d}"


def _entry(path: tuple[Any, ...], leaf: Any) -> dict[str, Any]:
    return {"path": jax.tree_util.keystr(path), "shape": list(leaf.shape), "dtype": str(leaf.dtype)}


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    import orbax.checkpoint as ocp

    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer:
        checkpointer.save(path.absolute(), arrays)


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")


def _digests(folder: Path) -> dict[str, Any]:
    """Size and sha256 of every file under a folder but the manifest, by relative path."""
    return {name: _digest(folder / name) for name in sorted(_files(folder))}


def _files(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if not path.is_dir() and name != "manifest.json":
            yield name


def _digest(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return {"bytes": file.tell(), "sha256": sha256}


def _move(temporary: Path, target: Path) -> None:
    """Puts a written checkpoint in its place, on disk and not only in the system's memory."""
    for path in (*temporary.rglob("*"), temporary):
        _sync(path)
    if target.exists():
        replaced = target.with_name(f".replaced-{target.name}")
        shutil.rmtree(replaced, ignore_errors=True)
        os.replace(target, replaced)
        os.replace(temporary, target)
        shutil.rmtree(replaced, ignore_errors=True)
    else:
        os.replace(temporary, target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# ---------------------------------------------------------------- restoring


def restore(directory: Path, like: PyTree) -> Restored | None:
    """The newest valid checkpoint, or None where there is none at all.

    Args:
        directory: the run's checkpoints/.
        like: the state's structure, shapes and types, as `jax.eval_shape` gives them.

    Raises:
        CheckpointError: if there are checkpoints but none is valid, or if the newest valid one is of a
            state with other shapes or types; it names them.
    """
    skipped = []
    for step in steps(directory):
        path = directory / str(step)
        try:
            index = verify(path)
        except CheckpointError as error:
            skipped.append(str(error))
            continue
        _check_same(path, index["arrays"], like)
        state = _unflatten(_read_arrays(path / "state", index["arrays"]), index["arrays"], like)
        return Restored(step, state, index["progress"], tuple(skipped))
    if skipped:
        raise CheckpointError(f"no valid checkpoint in {directory}: {'; '.join(skipped)}")
    return None


def verify(path: Path) -> dict[str, Any]:
    """Checks every byte of a checkpoint against its manifest and returns its index.

    Raises:
        CheckpointError: naming the checkpoint and the first file that is missing, new or changed.
    """
    try:
        manifest = json.loads((path / "manifest.json").read_text())
        present = _digests(path)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"checkpoint {path} is invalid: manifest.json: {_first_line(error)}") from error
    if not isinstance(manifest, dict):
        raise CheckpointError(f"checkpoint {path} is invalid: manifest.json holds no object")
    for name in sorted({*manifest, *present}):
        if manifest.get(name) != present.get(name):
            fault = "changed" if name in manifest and name in present else "missing"
            fault = fault if name in manifest else "not in the manifest"
            raise CheckpointError(f"checkpoint {path} is invalid: {name} is {fault}")
    if "index.json" not in present:
        raise CheckpointError(f"checkpoint {path} is invalid: index.json is missing")
    return json.loads((path / "index.json").read_text())


def _check_same(path: Path, entries: list[dict[str, Any]], like: PyTree) -> None:
    """Refuses arrays that are not exactly those of the state to be restored."""
    wanted = [_entry(at, leaf) for at, leaf in jax.tree_util.tree_leaves_with_path(like)]
    saved = [{name: entry[name] for name in ("path", "shape", "dtype")} for entry in entries]
    if saved == wanted:
        return
    sides = (saved, wanted)
    old, new = ({entry["path"]: f"{entry['dtype']}{entry['shape']}" for entry in side} for side in sides)
    paths = [at for at in old | new if old.get(at) != new.get(at)]
    faults = [f"{at} is {old.get(at, 'absent')}, not {new.get(at, 'absent')}" for at in paths]
    shown = "; ".join(faults[:4] or ["the order of the arrays"]) + ("; ..." if len(faults) > 4 else "")
    raise CheckpointError(f"checkpoint {path} is of another state: {shown}")


def _read_arrays(path: Path, entries: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    import orbax.checkpoint as ocp

    names = [_name(number) for number, entry in enumerate(entries) if 0 not in entry["shape"]]
    item = {name: 0 for name in names}
    options = {name: ocp.RestoreArgs(restore_type=np.ndarray) for name in names}
    try:
        with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer:
            return checkpointer.restore(path.absolute(), item=item, restore_args=options)
    except Exception as error:  # orbax and tensorstore raise many kinds
        raise CheckpointError(f"cannot read checkpoint {path}: {_first_line(error)}") from error


def _unflatten(arrays: dict[str, np.ndarray], entries: list[dict[str, Any]], like: PyTree) -> PyTree:
    leaves = []
    with jax.enable_x64(True):  # so that float64 arrays stay what they are; others are not widened
        for number, (entry, leaf) in enumerate(zip(entries, jax.tree.leaves(like), strict=True)):
            if leaf.size == 0:
                leaves.append(jnp.zeros(leaf.shape, leaf.dtype))
            elif "impl" in entry:
                leaves.append(jax.random.wrap_key_data(jnp.array(arrays[_name(number)]), impl=entry["impl"]))
            else:
                leaves.append(jnp.array(arrays[_name(number)]))
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
