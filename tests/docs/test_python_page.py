"""docs/PYTHON.md, run from top to bottom in an empty folder."""

from __future__ import annotations

import re
import runpy
import sys

import pytest

import imaginax
from tests.docs.blocks import DOCS, blocks, missing_links, shortened

PAGE = DOCS / "PYTHON.md"
SHORTER = {
    'trials=8, fit={"epochs": 50}': 'trials=1, fit={"epochs": 1}, trial_steps=20',
    'preset="tiny",\n    logdir="runs/watched"': 'preset="tiny",\n    trials=1,\n    logdir="runs/watched"',
    '"alphazero", preset="tiny"': '"alphazero", preset="tiny", chunks=1',
}


@pytest.mark.slow
def test_the_page_works_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    program = shortened("\n".join(blocks(PAGE, "python")), SHORTER)
    (tmp_path / "page.py").write_text(program)
    found = runpy.run_path(str(tmp_path / "page.py"))
    assert found["actions"].shape == (5, 1) and found["imagined"].observation.shape == (10, 4)
    assert len(found["returns"]) == 2 and len(found["moves"]) >= 5
    assert found["score"].returns.shape == (1, 3)


def test_links_lead_somewhere():
    assert not missing_links(PAGE)


def test_the_table_has_every_public_function():
    named = set(re.findall(r"`imaginax\.(\w+)", PAGE.read_text().split("## Train")[0]))
    functions = {name for name in imaginax.__all__ if name[0].islower()}
    assert functions <= named and named <= set(imaginax.__all__)
    assert sys.modules["imaginax"] is imaginax
