from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from imaginax.runtime.metrics import Logger, read_metrics
from imaginax.runtime.run_directory import RunDirectory, RunError


def log(directory, steps, *, after=0, seeds=2):
    with Logger(directory, step=after) as logger:
        for step in steps:
            values = step + np.arange(seeds, dtype=np.float32)
            logger.log(step, 10 * step, 0.5 * step, stage="learn", metrics={"loss": values})


def events(directory):
    """(step, tag, value) of every scalar, read by the file format itself: length, crc, message, crc."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in sorted(directory.tensorboard.iterdir()):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            event = Event.FromString(data[at + 12 : at + 12 + length])
            found += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
            at += 16 + length
    return found


def test_rows_and_events_hold_means_and_seeds(tmp_path):
    directory = RunDirectory(tmp_path)
    log(directory, [1, 2])
    first = {
        "step": 1,
        "env_steps": 10,
        "wall_s": 0.5,
        "stage": "learn",
        "loss": 1.5,
        "per_seed": {"loss": [1.0, 2.0]},
    }
    assert read_metrics(directory.metrics)[0] == first
    assert sorted(events(directory)) == [
        (1, "loss", 1.5),
        (1, "loss/seed_0", 1.0),
        (1, "loss/seed_1", 2.0),
        (2, "loss", 2.5),
        (2, "loss/seed_0", 2.0),
        (2, "loss/seed_1", 3.0),
    ]


def test_one_seed_needs_no_list(tmp_path):
    log(RunDirectory(tmp_path), [1], seeds=1)
    assert "per_seed" not in read_metrics(tmp_path / "metrics.jsonl")[0]
    assert events(RunDirectory(tmp_path)) == [(1, "loss", 1.0)]


def test_what_is_not_finite_is_null_and_not_in_the_mean(tmp_path):
    directory = RunDirectory(tmp_path)
    with Logger(directory) as logger:
        metrics = {"a": np.array([np.nan, 4.0]), "b": np.array([np.inf, np.nan])}
        logger.log(1, 1, 1.0, stage="s", metrics=metrics)
    (line,) = directory.metrics.read_text().splitlines()
    row = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert row["a"] == 4.0 and row["b"] is None
    assert row["per_seed"] == {"a": [None, 4.0], "b": [None, None]}
    assert events(directory) == [(1, "a", 4.0), (1, "a/seed_1", 4.0)]


def test_going_on_drops_later_rows_and_a_torn_one(tmp_path):
    directory = RunDirectory(tmp_path)
    log(directory, [1, 2, 3, 4])
    with directory.metrics.open("a") as file:
        file.write('{"step": 5, "los')
    assert [row["step"] for row in read_metrics(directory.metrics)] == [1, 2, 3, 4]
    log(directory, [3, 4], after=2)
    assert [row["step"] for row in read_metrics(directory.metrics)] == [1, 2, 3, 4]
    assert len(directory.metrics.read_text().splitlines()) == 4


def test_each_row_is_on_disk_at_once(tmp_path):
    directory = RunDirectory(tmp_path)
    with Logger(directory) as logger:
        logger.log(1, 1, 1.0, stage="s", metrics={})
        assert len(read_metrics(directory.metrics)) == 1


def test_failures_are_one_line(tmp_path):
    with pytest.raises(RunError, match="cannot write to .*: No such file"):
        Logger(RunDirectory(tmp_path / "absent"))
    with pytest.raises(RunError, match="cannot write to .*: No space left on device"):
        _full_disk(RunDirectory(tmp_path))


def _full_disk(directory):
    """/dev/full refuses every byte."""
    with Logger(directory) as logger:
        logger._file.close()
        logger._file = open("/dev/full", "a")  # noqa: SIM115
        logger.log(1, 1, 1.0, stage="s", metrics={})
