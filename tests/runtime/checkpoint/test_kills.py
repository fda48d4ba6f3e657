from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from imaginax.runtime import checkpoint
from tests.runtime.checkpoint import checkpoint_program as program

KILLS = int(os.environ.get("IMAGINAX_KILLS", "10"))


def killed(folder, rng):
    """What a process that saves all the time told before it was killed at a random moment."""
    command = [sys.executable, program.__file__, "forever", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        out = process.stdout.readline()
        start, words = time.monotonic(), int(rng.integers(1, 5))
        for _ in range(words):
            out += process.stdout.readline()
        time.sleep(rng.uniform(0, 1.5 * (time.monotonic() - start) / words))
        process.kill()
        rest, errors = process.communicate()
    assert process.returncode == -9, errors.decode()[-2000:]
    lines = [line for line in (out + rest).decode().split("\n") if line.endswith("}")]
    return [json.loads(line) for line in lines]


@pytest.mark.slow
def test_a_kill_at_any_moment_loses_nothing_that_was_saved(tmp_path, record_property):
    rng = np.random.default_rng()
    contents, done, unfinished, between = {}, -1, 0, 0
    for _ in range(KILLS):
        for line in killed(tmp_path, rng):
            if "content" in line:
                assert contents.setdefault(line["begun"], line["content"]) == line["content"]
            done = max(done, line.get("done", -1))
        unfinished += any(tmp_path.glob(".writing-*"))
        between += any(tmp_path.glob(".replaced-*"))
        restored = checkpoint.restore(tmp_path, program.forever_like())
        assert restored.step >= done and restored.skipped == ()
        assert program.content(restored.state) == contents[restored.step]
        assert restored.progress == {"step": restored.step}
    figures = {"kills": KILLS, "during a save": unfinished, "during a removal": between, "steps": done}
    for name, value in figures.items():
        record_property(name, value)
    print(figures)


def test_a_kill_between_the_two_renames_of_a_replacement_loses_nothing(tmp_path):
    """The old checkpoint has left its place and the new one has not come to it."""
    state = {"x": np.arange(3.0)}
    checkpoint.save(tmp_path, 4, state, progress={})
    (tmp_path / "4").rename(tmp_path / ".replaced-4")
    (tmp_path / ".writing-4").mkdir()
    like = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), state)
    restored = checkpoint.restore(tmp_path, like)
    assert restored.step == 4 and restored.skipped == () and restored.state["x"].tolist() == [0, 1, 2]
    checkpoint.save(tmp_path, 5, state, progress={})
    assert os.listdir(tmp_path) == ["5"]
