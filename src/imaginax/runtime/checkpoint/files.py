"""The files of a checkpoint: what may lie in its folder, and how it gets to its place on the disk.

A folder is trusted with nothing. No name that is read from it is ever opened; links and special files
are refused; JSON is bounded, strict, and for the manifest exactly what would have been written.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from imaginax.runtime.run_directory import RunError

JSON_BYTES = 2**26


class CheckpointError(RunError):
    """A checkpoint that cannot be written or must not be loaded."""


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


# ------------------------------------------------------------------- JSON


def to_json(value: Any) -> str:
    """JSON text of a value.

    Raises:
        CheckpointError: if it holds NaN, infinity or what JSON has no word for, or is absurdly long.
    """
    try:
        text = json.dumps(value, indent=1, allow_nan=False) + "\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"no JSON: {first_line(error)}") from error
    if len(text) > JSON_BYTES:
        raise CheckpointError(f"{len(text)} bytes of JSON are more than {JSON_BYTES}")
    return text


def read_json(path: Path) -> tuple[Any, str]:
    """Value and text of a JSON file.

    Raises:
        CheckpointError: naming the file, if it is missing, absurdly long or no strict JSON.
    """
    try:
        if path.stat().st_size > JSON_BYTES:
            raise CheckpointError(f"{path.name} is longer than {JSON_BYTES} bytes")
        text = path.read_bytes().decode()
        return json.loads(text, parse_constant=_no_constant), text
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path.name}: {first_line(error)}") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# --------------------------------------------------------------- manifest


def write_manifest(folder: Path) -> None:
    """Writes size and sha256 of every file of a folder, which makes it a checkpoint."""
    (folder / "manifest.json").write_text(to_json({name: _digest(folder / name) for name in walk(folder)}))


def check_manifest(folder: Path) -> None:
    """Compares every byte of a folder with its manifest.

    Raises:
        CheckpointError: naming the first file that is missing, strange, new or changed.
    """
    if folder.is_symlink() or not folder.is_dir():
        raise CheckpointError("it is no folder")
    present = set(walk(folder))
    manifest, text = read_json(folder / "manifest.json")
    if not isinstance(manifest, dict):
        raise CheckpointError("manifest.json holds no object")
    for name in sorted({*manifest, *present}):
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise CheckpointError(f"{_shown(name)} leads out of the folder")
        if name not in present:
            raise CheckpointError(f"{_shown(name)} is missing")
        if name not in manifest:
            raise CheckpointError(f"{_shown(name)} is not in the manifest")
        if not _matches(folder / name, manifest[name]):
            raise CheckpointError(f"{_shown(name)} is changed")
    if text != to_json(manifest):
        raise CheckpointError("manifest.json is changed")


def walk(folder: Path, below: str = "") -> Iterator[str]:
    """Relative names of the files under a folder, sorted, but for its manifest.

    Raises:
        CheckpointError: naming a link, which could lead anywhere, or a special file, which could hang.
    """
    for entry in sorted(os.scandir(folder / below), key=lambda entry: entry.name):
        name = f"{below}{entry.name}"
        kind = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISDIR(kind):
            yield from walk(folder, f"{name}/")
        elif not stat.S_ISREG(kind):
            raise CheckpointError(f"{_shown(name)} is a {'link' if stat.S_ISLNK(kind) else 'special file'}")
        elif name != "manifest.json":
            yield name


def _shown(name: str) -> str:
    """A name for a message of one line, whatever is in it."""
    return name if name.isprintable() else ascii(name)


def _matches(path: Path, entry: Any) -> bool:
    """Whether a file is the one of its manifest's entry; one of another size is not read."""
    known = isinstance(entry, dict) and entry.get("bytes") == path.stat().st_size
    return known and entry == _digest(path)


def _digest(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return {"bytes": file.tell(), "sha256": sha256}


# ----------------------------------------------------------------- places


def unfinished(target: Path) -> Path:
    """Where a checkpoint is written before it is moved to its place."""
    return target.with_name(f".writing-{target.name}")


def candidates(directory: Path) -> list[tuple[int, Path]]:
    """Number and folder of every checkpoint, valid or not, newest first.

    One that was being replaced comes after the one of its number: a kill can leave it alone there.
    """
    if not directory.is_dir():
        return []
    found = []
    for path in directory.iterdir():
        name = path.name.removeprefix(".replaced-")
        if name.isascii() and name.isdecimal() and name == str(int(name)):
            found.append((int(name), name == path.name, path))
    return [(step, path) for step, _, path in sorted(found, reverse=True)]


def move(folder: Path, target: Path) -> None:
    """Puts a written checkpoint in its place, on the disk and not only in the system's memory."""
    for path in (*folder.rglob("*"), folder):
        _sync(path)
    if target.exists():
        replaced = target.with_name(f".replaced-{target.name}")
        shutil.rmtree(replaced, ignore_errors=True)
        os.replace(target, replaced)
    os.replace(folder, target)
    _sync(target.parent)


def tidy(target: Path, keep: int) -> None:
    """Removes what a checkpoint that is in its place has made superfluous.

    Newer ones stay and do not count: the run went back behind them because they are invalid.
    """
    found = candidates(target.parent)
    older = [path for step, path in found if step <= int(target.name) and path.name == str(step)]
    for path in (*older[keep:], *target.parent.glob(".replaced-*")):
        shutil.rmtree(path, ignore_errors=True)


def discard_unfinished(directory: Path) -> None:
    """Removes what killed runs left of checkpoints that they were writing."""
    for path in directory.glob(".writing-*"):
        shutil.rmtree(path, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
