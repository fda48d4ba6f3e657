"""docs/CLI.md has every command, and each of its lines is one that the program understands."""

from __future__ import annotations

import argparse
import re
import shlex

from imaginax import cli, registry
from imaginax.cli import sweep
from imaginax.runtime import config as configs
from tests.docs.blocks import DOCS, missing_links

PAGE = DOCS / "CLI.md"


def lines():
    """The commands of the page, as lists of words."""
    found = re.findall(r"^imaginax (.*)$", PAGE.read_text(), re.MULTILINE)
    return [shlex.split(line, comments=True) for line in found]


def test_every_command_is_there():
    commands = {module.__name__.split(".")[-1] for module in cli._COMMANDS}
    names = {{"listing": "list", "evaluate": "eval", "check_env": "check-env"}.get(c, c) for c in commands}
    assert names == {words[0] for words in lines()}


def test_every_line_is_understood():
    assert len(lines()) > 30
    for words in lines():
        options, overrides = cli._parser().parse_known_args(words, argparse.Namespace(words=words))
        if options.command != "train":
            assert not overrides, words
            continue
        entry = registry.entry(options.system)
        preset = options.preset or entry.presets[0]
        if options.sweep:
            assert sweep.points(entry, preset, options.env, overrides, options.sweep)
        else:
            configs.parse(entry, preset, options.env, overrides)


def test_links_lead_somewhere():
    assert not missing_links(PAGE)
