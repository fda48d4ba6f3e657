"""Committed results say which code measured them; docs/REPRODUCE.md lists those that do not."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "REPRODUCE.md"


def test_results_of_a_changed_tree_are_named():
    """A commit that ends with `-dirty` does not tell which code ran: the page lists all such results."""
    results = sorted((ROOT / "results").rglob("*.json"))
    assert results
    changed = {str(path.relative_to(ROOT)) for path in results if any(_changed(json.loads(path.read_text())))}
    section = PAGE.read_text().partition("## Measured on a changed tree")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(results/\S+\.json)`", section)) == changed


def _changed(record):
    """Whether each commit in a result, at any depth, is that of a changed tree."""
    if isinstance(record, list):
        for value in record:
            yield from _changed(value)
    elif isinstance(record, dict):
        for name, value in record.items():
            yield from _changed(value)
            if name == "commit":
                yield str(value).endswith("-dirty")
