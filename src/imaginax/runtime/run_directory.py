"""The run directory: one folder that holds everything about a run.

config.json has every field, versions, device and seeds, and is compared when a run is resumed;
metrics.jsonl one JSON object a line; summary.json the outcome; snapshots/ learners as they were;
checkpoints/, tensorboard/, figures/ and media/ what their names say.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

import imaginax
from imaginax.errors import ConfigError, RunError
from imaginax.runtime import config as configs
from imaginax.runtime.loop import replay_ratio
from imaginax.runtime.output import reason
from imaginax.types import System

if sys.platform != "win32":
    import fcntl


SHIPPED = Path(imaginax.__file__).parent / "agents"  # agents that come with the package


@dataclasses.dataclass(frozen=True)
class RunDirectory:
    """Where the parts of a run lie."""

    path: Path

    @property
    def config(self) -> Path:
        """Settings, versions, device."""
        return self.path / "config.json"

    @property
    def metrics(self) -> Path:
        """What each chunk reported."""
        return self.path / "metrics.jsonl"

    @property
    def summary(self) -> Path:
        """The outcome."""
        return self.path / "summary.json"

    @property
    def tensorboard(self) -> Path:
        """Event files."""
        return self.path / "tensorboard"

    @property
    def checkpoints(self) -> Path:
        """One folder a saved step."""
        return self.path / "checkpoints"

    @property
    def snapshots(self) -> Path:
        """The learner as it was at several times, each like a checkpoint."""
        return self.path / "snapshots"

    @property
    def learner(self) -> Path:
        """The learner of a packed agent (`runtime.packing`), which has no checkpoints."""
        return self.path / "learner"

    @property
    def figures(self) -> Path:
        """PNG files."""
        return self.path / "figures"

    @property
    def media(self) -> Path:
        """GIF files; for an agent that comes with the package, `media` in the present folder."""
        return Path("media") if self.path.parent == SHIPPED else self.path / "media"


def located(run: Path | str) -> Path:
    """Where a run lies: its path, or that of the agent for `agents:NAME`.

    Raises:
        ConfigError: for an agent that does not come with the package.
    """
    kind, _, name = str(run).partition(":")
    if kind != "agents":
        return Path(run)
    known = sorted(path.parent.name for path in SHIPPED.glob("*/agent.json"))
    if name not in known:
        raise ConfigError(f"unknown agent {name!r}; {configs.hint(name, known)}")
    return SHIPPED / name


def default_path(system: str, env: str, preset: str) -> Path:
    """The directory of a run that was given none; no letter of it means something in a path."""
    name = "".join("-" if letter in ":/\\?&=" else letter for letter in env)
    return Path("runs") / f"{system}-{name}-{preset}"


def describe(system: System, *, preset: str | None, seeds: int, seed: int) -> dict[str, Any]:
    """What config.json says of a run."""
    device = jax.devices()[0]
    config = configs.to_json(system.config)
    inputs = {field: _input(path) for field, path in system.inputs}
    return {
        "system": system.name,
        "env": system.environment.spec.name,
        "preset": preset,
        "seeds": seeds,
        "seed": seed,
        "config": config | {field: found["path"] for field, found in inputs.items()},
        "inputs": inputs,
        "lengths": lengths(system.config),
        "replay_ratio": replay_ratio(system),
        "versions": {
            "imaginax": imaginax.__version__,
            "jax": metadata.version("jax"),
            "jaxlib": metadata.version("jaxlib"),
            "python": platform.python_version(),
        },
        "device": {"platform": device.platform, "kind": device.device_kind, "count": jax.device_count()},
    }


def lengths(config: Any) -> dict[str, int]:
    """The fields of a configuration that say how long it trains, which its class names in `lengths`."""
    return {name: getattr(config, name) for name in getattr(config, "lengths", ())}


def fingerprint(system: System) -> str:
    """sha256 of what a system trains, and not of how long or from which folder."""
    apart = {*lengths(system.config), *(field for field, _ in system.inputs)}
    config = {name: value for name, value in configs.to_json(system.config).items() if name not in apart}
    return hashlib.sha256(json.dumps([system.name, config], sort_keys=True).encode()).hexdigest()


def _input(path: str) -> dict[str, str]:
    """Where a file lies, from whichever folder, and what is in it."""
    with open(path, "rb") as file:
        return {"path": os.path.abspath(path), "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def check_inputs(record: dict[str, Any]) -> None:
    """Compares the files that a run reads with what they were when it began.

    Raises:
        ConfigError: naming one that is gone or changed.
    """
    for field, known in record.get("inputs", {}).items():
        try:
            found = _input(known["path"])
        except OSError as error:
            raise ConfigError(f"{field} {known['path']} cannot be read: {reason(error)}") from error
        if found["sha256"] != known["sha256"]:
            raise ConfigError(f"{field} {known['path']} is not the file that the run began with")


def open_run(logdir: Path | str, record: dict[str, Any], *, override_config: bool = False) -> RunDirectory:
    """Makes the folder of a run, or opens that of the same run to go on with it.

    Args:
        logdir: the folder.
        record: what `describe` gave.
        override_config: go on although the settings differ.

    Raises:
        ConfigError: if the folder holds a run with other settings, which it lists, or a longer run.
        RunError: if the folder cannot be written.
    """
    directory = RunDirectory(Path(logdir))
    if directory.learner.is_dir():
        raise ConfigError(f"{directory.path} holds an agent alone, which cannot go on learning")
    if directory.config.exists():
        old = read_json(directory.config)
        changed = _changed(old, record)
        if not changed and not override_config:
            _check_longer(directory.path, old, record)
        if changed and not override_config:
            raise ConfigError(
                f"{directory.path} holds a run with other settings ({'; '.join(changed)}): "
                "choose another --logdir, or accept the change with --override-config"
            )
    try:
        directory.path.mkdir(parents=True, exist_ok=True)
        write_json(directory.config, record)
    except OSError as error:
        raise RunError(f"cannot write to {directory.path}: {error.strerror or error}") from error
    return directory


@contextlib.contextmanager
def alone(logdir: Path | str) -> Iterator[None]:
    """Keeps other processes of this machine from training in a run's folder, which is made if there is none.

    The lock is on the folder itself and ends with the process that holds it, however that ends. On Windows,
    where a folder cannot be locked, there is none.

    Raises:
        RunError: if another process trains there, or the folder cannot be made.
    """
    path = Path(logdir)
    try:
        path.mkdir(parents=True, exist_ok=True)
        held = None if sys.platform == "win32" else os.open(path, os.O_RDONLY)
    except OSError as error:
        raise RunError(f"cannot write to {path}: {error.strerror or error}") from error
    try:
        if held is not None:
            _lock(held, path)
        yield
    finally:
        if held is not None:
            os.close(held)


def _lock(held: int, path: Path) -> None:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RunError(f"another process is training in {path}") from error
    except OSError:  # some file systems of networks have no locks
        pass


def read_run(logdir: Path | str) -> tuple[RunDirectory, dict[str, Any]]:
    """An existing run and its config.json.

    Raises:
        ConfigError: if there is none.
    """
    directory = RunDirectory(located(logdir))
    if not directory.config.is_file():
        raise ConfigError(f"{directory.path} is not a run directory: it has no config.json")
    record = read_json(directory.config)
    missing = [name for name in ("system", "seeds", "seed", "config") if name not in record]
    if missing:
        raise ConfigError(f"{directory.config} lacks {', '.join(missing)}")
    return directory, record


def _changed(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Differences that make it another run; versions and devices may change under a run."""
    before, after = (_decisive(record, new["lengths"]) for record in (old, new))
    return configs.differences(before, after)


def _check_longer(path: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    for name, length in new["lengths"].items():
        if length < old["config"].get(name, length):
            raise ConfigError(
                f"{path} holds a run of {name} {old['config'][name]} already, which cannot become one of"
                f" {length}: choose another --logdir"
            )


def _decisive(record: dict[str, Any], lengths: Iterable[str]) -> dict[str, Any]:
    """What makes a run that run, and not how long it is. A file is known by its content: it may be moved."""
    names = ("system", "env", "seeds", "seed", "config")
    decisive = {name: record.get(name) for name in names}
    config = record.get("config") or {}
    files = record.get("inputs", {}).items()
    config = config | {field: f"file of sha256 {found['sha256'][:12]}" for field, found in files}
    return decisive | {"config": {name: config[name] for name in config if name not in lengths}}


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        RunError: if the file cannot be read or holds something else.
    """
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RunError(f"cannot read {path}: {error}") from error
    if not isinstance(value, dict):
        raise RunError(f"cannot read {path}: it holds no JSON object")
    return value


def write_json(path: Path, value: Any) -> None:
    """Writes JSON so that the file is at every moment the old one or the new one.

    Numbers that are not finite become null, which is the only way JSON has to say so.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w") as file:
            file.write(json.dumps(finite(value), indent=2, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def finite(value: Any) -> Any:
    """A JSON tree with null for every number that is not finite."""
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
