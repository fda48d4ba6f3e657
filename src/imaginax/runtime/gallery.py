"""Figures of the repository for its notebooks: drawn from results/, in a folder of their own."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path

SCRIPTS = Path("experiments/figures")


class Gallery:
    """Draws with the scripts of experiments/figures; the files of the repository stay as they are.

    Attributes:
        root: the repository, which the working folder lies in.
        scratch: where figures are drawn, and runs may be written; `close` removes it.
    """

    def __init__(self) -> None:
        here = Path.cwd()
        self.root = next(folder for folder in (here, *here.parents) if (folder / SCRIPTS).is_dir())
        self.scratch = Path(tempfile.mkdtemp(prefix="imaginax-"))
        shutil.copytree(self.root / SCRIPTS, self.scratch / SCRIPTS)
        if (self.root / "results").is_dir():
            shutil.copytree(self.root / "results", self.scratch / "results")

    def figure(self, script: str, *results: str) -> None:
        """Shows what a script draws, or says which of the results that it needs are missing."""
        missing = [name for name in results if not (self.scratch / "results" / name).exists()]
        if missing:
            files = ", ".join(f"results/{name}" for name in missing)
            print(f"not here yet: {files}; python {SCRIPTS / script} --run makes it")
            return
        spec = importlib.util.spec_from_file_location(Path(script).stem, self.scratch / SCRIPTS / script)
        assert spec and spec.loader, script
        module = importlib.util.module_from_spec(spec)
        sys.path.insert(0, str(self.scratch / SCRIPTS))  # for what scripts share
        try:
            spec.loader.exec_module(module)
        finally:
            sys.path.pop(0)
        self.show(module.draw())

    def picture(self, name: str, how: str) -> None:
        """Shows a picture of the repository, or says how one like it is made."""
        if (self.root / name).exists():
            self.show(self.root / name)
        else:
            print(f"not here yet: {name}; {how} makes one like it")

    def show(self, path: Path, width: int | None = 900) -> None:
        """Shows an image in the notebook."""
        from IPython.display import Image, display

        display(Image(filename=str(path), width=None if path.suffix == ".gif" else width))

    def close(self) -> None:
        """Removes what was drawn."""
        shutil.rmtree(self.scratch)
