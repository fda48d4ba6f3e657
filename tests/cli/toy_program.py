"""`imaginax` with the toy among its systems: in this process (`registered`), or as a program."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from imaginax import cli, registry
from tests.runtime import toy_system

COMMAND = [sys.executable, __file__]


def registered(monkeypatch, tmp_path):
    """The toy is a registered system, and the working directory is empty."""
    monkeypatch.setitem(registry.SYSTEMS, "toy", lambda: toy_system.ENTRY)
    monkeypatch.chdir(tmp_path)


if __name__ == "__main__":
    registry.SYSTEMS["toy"] = lambda: toy_system.ENTRY
    sys.exit(cli.main(sys.argv[1:]))
