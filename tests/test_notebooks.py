"""Every notebook equals its jupytext source and runs from top to bottom."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

jupytext = pytest.importorskip("jupytext")
nbclient = pytest.importorskip("nbclient")

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "notebooks").glob("*.py"))
PICTURES = 4  # in notebooks/pets.py

by_name = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


@pytest.fixture(autouse=True)
def quiet_jupyter(monkeypatch, tmp_path):
    """Jupyter's files go to a temporary folder, and the switch is off."""
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.delenv("IMAGINAX_NOTEBOOK_RUN", raising=False)


def execute(source: Path, folder: Path) -> tuple[str, list[str]]:
    """What the notebook prints, and the kinds of the images that it shows, when it is run in a folder."""
    notebook = jupytext.read(source)
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=180, kernel_name="python3", resources=resources).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    stderr = [o["text"] for o in outputs if o["output_type"] == "stream" and o["name"] == "stderr"]
    assert not stderr, stderr
    text = "".join(output["text"] for output in outputs if output["output_type"] == "stream")
    kinds = [kind for output in outputs for kind in output.get("data", {}) if kind.startswith("image/")]
    return text, kinds


def test_there_are_notebooks():
    assert SOURCES and {path.stem for path in SOURCES} == {
        path.stem for path in (ROOT / "notebooks").glob("*.ipynb")
    }


@by_name
def test_notebook_equals_its_source_and_has_no_outputs(source):
    path = source.with_suffix(".ipynb")
    pairs = [
        [(cell.cell_type, cell.source) for cell in jupytext.read(p).cells if cell.source]
        for p in (source, path)
    ]
    assert pairs[0] == pairs[1], f"jupytext --sync {path}"
    code = [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]
    assert code and not any(cell.outputs or cell.execution_count for cell in code)
    assert path.stat().st_size < 50_000


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Jupyter, which is not ours
@by_name
def test_it_runs_on_committed_results(source):
    """An image, or a line that it is not there yet, for each; the repository stays as it is."""
    before = {path: path.stat().st_mtime_ns for path in (ROOT / "results").rglob("*")}
    text, kinds = execute(source, ROOT / "notebooks")
    wanted = re.findall(r"gallery\.(?:figure|picture)\(", source.read_text())
    assert len(kinds) + text.count("not here yet") == len(wanted)
    assert "nothing was trained" in text
    assert {path: path.stat().st_mtime_ns for path in (ROOT / "results").rglob("*")} == before


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_pets_trains_with_the_switch_on_and_no_results(monkeypatch, tmp_path):
    monkeypatch.setenv("IMAGINAX_NOTEBOOK_RUN", "1")
    copy = tmp_path / "repository"
    shutil.copytree(ROOT / "experiments" / "figures", copy / "experiments" / "figures")
    source = shutil.copy(ROOT / "notebooks" / "pets.py", copy)
    text, kinds = execute(Path(source), copy)
    assert kinds == ["image/png"] and "control 2/2" in text and "return of a fresh episode" in text
    assert text.count("not here yet") == PICTURES
