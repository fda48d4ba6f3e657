"""docs/EXTENDING.md, followed literally in an empty folder: files, commands, Python and links."""

from __future__ import annotations

import json
import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest

pytest.importorskip("gymnasium")

from imaginax import cli  # noqa: E402

PAGE = Path(__file__).parents[2] / "docs" / "EXTENDING.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    yield tmp_path
    for module in ("cart", "slider"):
        sys.modules.pop(module, None)


@pytest.mark.slow
def test_the_page_works_from_top_to_bottom(folder, capsys):
    commands, programs = [], 0
    for language, text in BLOCKS:
        name = re.match(r"# (\w+\.py)\n", text)
        if name:
            (folder / name[1]).write_text(text)
        elif language == "python":
            (folder / "page.py").write_text(text)
            runpy.run_path(str(folder / "page.py"))
            programs += 1
        elif language == "sh":
            for line in text.splitlines():
                program, *words = shlex.split(line)
                assert program == "imaginax"
                assert cli.main(words) == 0, line
                commands.append(words[0])
    assert programs == 1 and {"check-env", "train", "eval", "play"} <= set(commands)
    assert "no faults" in capsys.readouterr().out
    finished = {path.parent.name for path in folder.glob("runs/*/summary.json")}
    assert {"pets-cart-cart-tiny", "planet-cart-cart-tiny", "planet-gym-slider-Slider-v0-tiny"} < finished
    settings = json.loads((folder / "runs/stronger/config.json").read_text())["config"]
    assert settings["env"] == "cart:cart?push=2.0"
    assert (folder / "runs/pets-cart-cart-tiny/media/episode.gif").is_file()


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", PAGE.read_text())
    missing = [link for link in links if not link.startswith("http") and not (PAGE.parent / link).exists()]
    assert len(links) > 10 and not missing
