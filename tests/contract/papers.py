"""Promise 8: preset `paper` is what the system's page says that the paper says."""

from __future__ import annotations

import importlib


def equals_the_page(entry) -> dict[str, int]:
    """Compares the presets with the table of docs/<system>.md, which tests/docs/test_<system>_page.py reads.

    Such a test file has `published_presets() -> {environment: configuration}`.
    """
    if "paper" not in entry.presets:
        return {"tables": 0}
    page = importlib.import_module(f"tests.docs.test_{entry.name}_page").published_presets()
    assert page, f"docs/{entry.name}.md has no table of published settings"
    for env, published in page.items():
        preset = entry.preset("paper", env)
        assert preset == published, f"preset paper of {env} is {preset}, the page says {published}"
    return {"tables": len(page)}
