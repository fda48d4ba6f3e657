"""What only reads settings needs no jax, whose import takes seconds."""

from __future__ import annotations

import subprocess
import sys

import pytest

from imaginax import registry

PROGRAM = """
import contextlib, io, sys
from imaginax import cli
for words, code in {words}:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        got = cli.main(words)
    assert got == code, (words, got)
    loaded = [name for name in ("jax", "jaxlib", "numpy", "flax", "matplotlib") if name in sys.modules]
    assert not loaded, (words, loaded)
"""
ANSWERS = {
    "help": [["--help"], 0],
    "list": [["list"], 0],
    "command help": [["train", "--help"], 0],
    "unknown system": [["train", "petz"], 2],
    "unknown field": [["train", "pets", "--fit.epoch", "3"], 2],
    "impossible value": [["train", "pets", "--trials", "0"], 2],
} | {name: [["train", name, "--help"], 0] for name in registry.SYSTEMS}


def run(words: list) -> subprocess.CompletedProcess:
    program = PROGRAM.format(words=words)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)


def test_answers_about_settings_do_not_import_jax():
    done = run(list(ANSWERS.values()))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", [["eval", "nowhere"]])
def test_what_imports_jax_would_be_noticed(words):
    done = run([[words, 2]])
    assert "AssertionError" in done.stderr and "jax" in done.stderr
