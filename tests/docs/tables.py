"""What the tests of the documentation's pages share: reading tables and links."""

from __future__ import annotations

import dataclasses
import importlib
import re
from pathlib import Path
from typing import Any


def table(text: str, first_row: str) -> list[list[str]]:
    """The cells of the table with this header or first row, the line of dashes left out."""
    lines = text[text.index(first_row) :].split("\n\n")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    return [row for row in rows if not set("".join(row)) <= {"-"}]


def value(cell: str) -> Any:
    """'0.1' -> 0.1, '3 x 500' -> (500, 500, 500), '0.1, 0.2' -> (0.1, 0.2), 'PE' -> 'PE'."""
    if repeated := re.fullmatch(r"(\d+) x (\d+)", cell):
        return (int(repeated[2]),) * int(repeated[1])
    if "," in cell:
        return tuple(map(value, cell.split(",")))
    try:
        return float(cell) if "." in cell else int(cell)
    except ValueError:
        return cell


def columns(text: str, first_row: str) -> dict[str, dict[str, Any]]:
    """Header of a column -> first cell of a row -> value."""
    (_, *names), *rows = table(text, first_row)
    assert len({row[0] for row in rows}) == len(rows)
    return {name.strip("`"): {row[0]: value(row[i + 1]) for row in rows} for i, name in enumerate(names)}


def flat(config: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted field names -> values."""
    fields = {f.name: getattr(config, f.name) for f in dataclasses.fields(config)}
    nested = [flat(v, f"{prefix}{k}.") for k, v in fields.items() if dataclasses.is_dataclass(v)]
    plain = {prefix + k: v for k, v in fields.items() if not dataclasses.is_dataclass(v)}
    return plain | {k: v for part in nested for k, v in part.items()}


def check_links(page: Path, *, least: int, commands: int = 0) -> None:
    """Links to code name things that are there; every other relative link and script is a file."""
    text = page.read_text()
    pairs = re.findall(r"\[`([\w.]+)`\]\(\.\./src/(imaginax/[\w/]+)\.py\)", text)
    assert len(pairs) >= least
    for name, path in pairs:
        module, _, attribute = name.rpartition(".")
        assert f"imaginax.{module}" == path.removesuffix("/__init__").replace("/", ".")
        assert hasattr(importlib.import_module(f"imaginax.{module}"), attribute), name
    links = [link.partition("#")[0] for link in re.findall(r"\]\((?!http|#)([^)]+)\)", text)]
    scripts = re.findall(r"`(?:python )?(experiments/[\w/]+\.py)", text)
    missing = [link for link in links if not (page.parent / link).exists()]
    missing += [path for path in scripts if not (page.parents[1] / path).exists()]
    assert len(scripts) >= commands and not missing, missing
