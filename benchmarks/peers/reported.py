"""What a script of this folder reports: a line of JSON for each thing that it timed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any


def rows(python: str, script: str) -> dict[str, dict[str, Any]]:
    """Its lines by what they are of, run by an interpreter that has the libraries it times."""
    command = [python, str(Path(__file__).parent / script)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    return {row["what"]: row for row in found}
