"""Code blocks of a page, made short enough for a test."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def shortened(text: str, changes: dict[str, str]) -> str:
    """The text with what takes long replaced; a phrase that is not there means that the page has changed."""
    for phrase, shorter in changes.items():
        assert phrase in text, f"the page no longer says {phrase}"
        text = text.replace(phrase, shorter)
    return text


def missing_links(page: Path) -> list[str]:
    """Links of a page, or pictures, that lead to no file."""
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    links += re.findall(r'(?:src|href)="([^"#]+)"', page.read_text())
    assert links, page
    return [link for link in links if not link.startswith("http") and not (page.parent / link).exists()]
