from __future__ import annotations

import dataclasses
import os
import sys

import pytest

from imaginax.runtime import config
from imaginax.types import ConfigError
from tests.cli.terminals import Screen
from tests.runtime import toy_system
from tests.runtime.toy_system import ToyConfig


@dataclasses.dataclass(frozen=True)
class Left:
    size: int = 1


@dataclasses.dataclass(frozen=True)
class Right:
    size: int = 2


@dataclasses.dataclass(frozen=True)
class Either:
    side: Left | Right = Left()
    pair: tuple[int, str] = (1, "a")
    sides: tuple[Right, ...] = ()


def parse(*argv):
    return config.parse(toy_system.ENTRY, "tiny", None, argv)


def test_overrides_replace_the_preset():
    changed = parse("--fit.rate", "0.5", "--sizes", "4", "5", "6", "--slow-s", "2", "--fit.kind", "absolute")
    fit = toy_system.FitConfig(0.5, "absolute")
    assert changed == ToyConfig(chunks=4, slow_s=2.0, sizes=(4, 5, 6), fit=fit)
    assert config.parse(toy_system.ENTRY, "long", "toy_walk", []).chunks == 400


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--chunk", "3"], "unknown field --chunk; did you mean --chunks?"),
        (["--fit.raet", "3"], "unknown field --fit.raet; did you mean --fit.rate?"),
        (["--rate", "3"], "unknown field --rate; did you mean --fit.rate?"),
        (["--zzzzz"], "unknown field --zzzzz"),
        (["--chunks", "many"], "--chunks"),
        (["--chunks"], "--chunks"),
        (["--fit.kind", "cubic"], "cubic"),
        (["--fit.rate", "-1"], "fit.rate must be positive, got -1.0"),
        (["stray"], "stray"),
    ],
)
def test_a_mistake_is_one_line(argv, message, capsys):
    with pytest.raises(ConfigError) as raised:
        parse(*argv)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value) and "│" not in str(raised.value)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("columns", ["40", "80", "200"])
@pytest.mark.parametrize("colours", [{}, {"FORCE_COLOR": "1"}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_is_told_what_a_pipe_is_told(columns, colours, monkeypatch):
    """tyro writes colours and frames for a terminal, and breaks lines, also inside of words, at its width."""
    for name, value in ({"TERM": "xterm-256color", "COLUMNS": columns} | colours).items():
        monkeypatch.setenv(name, value)
    for argv in (
        ["--chunk", "3"],
        ["--chunks", "many", "--sizes", "x"],
        ["--fit.kind", "cubic"],
        ["--fit.rate", "-1"],
        ["stray", "words", "of any length" * 9],
        ["--chunks", "[red]\x1b[31m"],
        ["--chunks"],
    ):
        with pytest.raises(ConfigError) as in_a_pipe:
            parse(*argv)
        screen = Screen()
        with monkeypatch.context() as patch, pytest.raises(ConfigError) as on_a_terminal:
            patch.setattr(sys, "stdout", screen)
            parse(*argv)
        assert str(on_a_terminal.value) == str(in_a_pipe.value) and screen.getvalue() == ""
    assert os.environ["COLUMNS"] == columns


def test_unknown_preset():
    with pytest.raises(ConfigError, match="unknown preset 'tyni' of toy; did you mean tiny"):
        config.parse(toy_system.ENTRY, "tyni", None, [])


def test_help_shows_every_field_with_its_meaning(capsys):
    with pytest.raises(SystemExit) as request:
        parse("--help")
    text = capsys.readouterr().out
    assert request.value.code == 0 and "\x1b[" not in text
    assert all(flag in text for flag in config.flags(ToyConfig()))
    assert "of the gradient steps" in text and "0.1" in text


def test_help_on_a_terminal_has_colours(monkeypatch):
    screen = Screen()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "stdout", screen)
    with pytest.raises(SystemExit):
        parse("--help")
    assert "\x1b[" in screen.getvalue() and "--fit.rate" in screen.getvalue()


@pytest.mark.parametrize(
    "value",
    [
        ToyConfig(),
        ToyConfig(slow_s=1.5, sizes=(), fit=toy_system.FitConfig(1e-3, "absolute")),
        Either(),
        Either(Right(7), (2, "b"), (Right(3), Right(4))),
    ],
)
def test_json_round_trip(value):
    import json

    text = json.dumps(config.to_json(value))
    assert config.from_json(type(value), json.loads(text)) == value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.update(chunk=3), "unknown field config.chunk; did you mean chunks"),
        (lambda data: data.pop("sizes"), "missing field config.sizes"),
        (lambda data: data["fit"].pop("rate"), "missing field config.fit.rate"),
        (lambda data: data.update(chunks=3.5), "config.chunks must be int, got 3.5"),
        (lambda data: data.update(chunks=True), "config.chunks must be int, got True"),
        (lambda data: data.update(sizes=[1, "x"]), r"config.sizes\[1\] must be int, got 'x'"),
        (lambda data: data["fit"].update(kind="cubic"), "config.fit.kind must be"),
        (lambda data: data["fit"].update(rate=-1), "fit.rate must be positive"),
        (lambda data: data.update(fit=3), "config.fit must be an object of FitConfig"),
        (lambda data: data.update(slow_s="no"), "config.slow_s must be"),
    ],
)
def test_json_is_strict(change, message):
    data = config.to_json(ToyConfig())
    change(data)
    with pytest.raises(ConfigError, match=message):
        config.from_json(ToyConfig, data)


def test_unions_of_dataclasses_name_their_member():
    data = config.to_json(Either(Right(7)))
    assert data["side"] == {"type": "Right", "size": 7}
    data["side"]["type"] = "Middle"
    with pytest.raises(ConfigError, match="config.side.type must be one of Left, Right, got 'Middle'"):
        config.from_json(Either, data)


def test_what_json_cannot_hold_is_named():
    with pytest.raises(ConfigError, match="field rate is inf"):
        config.to_json(ToyConfig(fit=toy_system.FitConfig(rate=float("inf"))))


def test_differences_are_listed_field_by_field():
    old, new = ({"seeds": 1, "config": {"fit": {"rate": rate}, "a": [1]}} for rate in (0.1, 0.2))
    assert config.differences(old, new) == ["config.fit.rate: 0.1 -> 0.2"]
    assert config.differences({"a": 1}, {"b": 2}) == ["a: 1 -> None", "b: None -> 2"]


def test_checks_of_a_group_name_their_field_first():
    """tyro's own introduction, which names a class, is left out."""
    with pytest.raises(ConfigError) as refused:
        parse("--fit.rate", "-1")
    assert str(refused.value) == "fit.rate must be positive, got -1.0"
    with pytest.raises(ConfigError, match=r"^unexpected words \(a field begins with --\): stray"):
        parse("stray")
