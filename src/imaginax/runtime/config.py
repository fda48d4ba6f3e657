"""Configurations: frozen dataclasses to and from the command line and JSON."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import functools
import io
import math
import os
import re
import types
import typing
from collections.abc import Iterator, Sequence
from typing import Any

from imaginax.errors import ConfigError
from imaginax.registry import SystemEntry

_WIDE = 10_000  # columns, more than a complaint has letters


def parse(entry: SystemEntry, preset: str, env: str | None, argv: Sequence[str]) -> Any:
    """The configuration of a preset with the overrides of a command line.

    Args:
        entry: the system.
        preset: one of `entry.presets`.
        env: name of an environment, or None for the preset's own.
        argv: overrides such as `["--model.hidden", "200", "200"]`. With `--help` in it the fields
            are printed and the program exits, as is usual.

    Raises:
        ConfigError: for an unknown preset or field, a value of the wrong type, a choice that does not
            exist, or whatever the configuration's own checks reject. The message is one line.
    """
    import tyro

    base, argv = _base(entry, preset, env, argv)
    read = functools.partial(
        tyro.cli,
        entry.config,
        args=list(argv),
        default=base,
        prog=f"imaginax train {entry.name}",
        description=f"Fields of {entry.name}; the defaults are those of the preset {preset}.{_kinds(entry)}",
        use_underscores=True,
        config=(tyro.conf.AvoidSubcommands,),
    )
    complaint = io.StringIO()
    try:
        with _captured(complaint):
            return read()
    except SystemExit as exit_:
        if not exit_.code:
            return read()  # help, this time as the terminal has it
        raise ConfigError(_one_line(complaint.getvalue(), flags(base))) from None


def known_flags(entry: SystemEntry, preset: str, env: str | None, argv: Sequence[str]) -> list[str]:
    """Every field that a command line may set, of the kinds that it asks for.

    Args:
        entry: as of `parse`.
        preset: as of `parse`.
        env: as of `parse`.
        argv: as of `parse`; values are not looked at.

    Raises:
        ConfigError: for an unknown preset or kind.
    """
    return list(flags(_base(entry, preset, env, argv)[0]))


def _base(entry: SystemEntry, preset: str, env: str | None, argv: Sequence[str]) -> tuple[Any, list[str]]:
    """The preset, of the kinds that words ask for, and the other words."""
    if preset not in entry.presets:
        raise ConfigError(f"unknown preset {preset!r} of {entry.name}; {hint(preset, entry.presets)}")
    return _with_kinds(entry, entry.preset(preset, env), argv)


def _with_kinds(entry: SystemEntry, base: Any, argv: Sequence[str]) -> tuple[Any, list[str]]:
    """The preset with the kinds that words such as `--model gp` ask for, and the other words."""
    rest = list(argv)
    for field, choices in entry.kinds.items():
        asked, rest = _values_of(f"--{field}", rest)
        for kind in asked:
            if kind not in choices:
                raise ConfigError(f"--{field} must be one of {', '.join(choices)}, got {kind!r}")
            base = choices[kind](base)
    return base, rest


def _values_of(flag: str, argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words that stand behind a flag or its `=`, an empty one where none does, and all other words."""
    values, rest, words = [], [], iter(argv)
    for word in words:
        name, equals, value = word.partition("=")
        if name == flag:
            values.append(value if equals else next(words, ""))
        else:
            rest.append(word)
    return values, rest


def _kinds(entry: SystemEntry) -> str:
    """What help says of fields with several kinds of settings."""
    return "".join(
        f" --{field} {{{','.join(choices)}}} comes with settings of its own, shown by --{field} KIND --help"
        f" (default: {next(iter(choices))})."
        for field, choices in entry.kinds.items()
    )


@contextlib.contextmanager
def _captured(complaint: io.StringIO) -> Iterator[None]:
    """Standard error goes to `complaint`, and what tyro writes there is the same in every terminal.

    tyro asks standard output for colours and frames, and `COLUMNS` for where to break lines.
    """
    columns = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(_WIDE)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(complaint):
            yield
    finally:
        del os.environ["COLUMNS"]
        if columns is not None:
            os.environ["COLUMNS"] = columns


def hint(word: str, known: Sequence[str]) -> str:
    """A closing half-sentence: what was probably meant, and what there is."""
    near = difflib.get_close_matches(word, known, n=2, cutoff=0.5)
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    return f"{meant}known: {', '.join(known)}"


def flags(config: Any, prefix: str = "--") -> Iterator[str]:
    """Every field of a configuration as it is written on the command line."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from flags(value, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name


def _one_line(box: str, known: Iterator[str]) -> str:
    """The complaint of tyro as one line, with what was probably meant.

    Under its title and a rule stands the message; a further rule ends it.
    """
    lines = [line.strip() for line in box.splitlines()]
    rules = [number for number, line in enumerate(lines) if line and set(line) == {"-"}]
    message = " ".join(line for line in lines[rules[0] + 1 : [*rules, None][1]] if line)
    message = re.sub(r"^Error parsing (?!--)\S+: ", "", message)  # the checks of a dataclass name their field
    message = re.sub(r"^Unrecognized options:(?! *--)", "unexpected words (a field begins with --):", message)
    unknown = re.match(r"Unrecognized options: (--[^\s,=]+)", message)
    if not unknown:
        return message.replace(" .", ".")
    name = "--" + unknown[1].removeprefix("--").replace("-", "_")
    near = _near_flags(name, list(known))
    return f"unknown field {unknown[1]}" + (f"; did you mean {' or '.join(near)}?" if near else "")


def _near_flags(name: str, known: list[str]) -> list[str]:
    """Fields whose last word looks like that of `name`, whether or not its groups are right."""
    words = {flag: flag.removeprefix("--").split(".")[-1] for flag in known}
    last = name.removeprefix("--").split(".")[-1]
    near = difflib.get_close_matches(last, words.values(), n=2, cutoff=0.6)
    flags_ = [flag for flag in known if words[flag] in near]
    return sorted(flags_, key=lambda flag: -difflib.SequenceMatcher(None, name, flag).ratio())[:2]


# ------------------------------------------------------------------- JSON


def to_json(config: Any) -> dict[str, Any]:
    """A tree of dataclasses as plain JSON values.

    Where a field may hold one of several dataclasses, the one it holds is named under `"type"`.

    Raises:
        ConfigError: for a value that JSON cannot hold.
    """
    hints = typing.get_type_hints(type(config))
    result = {}
    for field in dataclasses.fields(config):
        value = _plain(getattr(config, field.name), field.name)
        if len(_dataclasses(hints[field.name])) > 1 and isinstance(value, dict):
            value = {"type": type(getattr(config, field.name)).__name__, **value}
        result[field.name] = value
    return result


def from_json(kind: type, data: Any, where: str = "config") -> Any:
    """The dataclass `kind` from what `to_json` gave.

    Raises:
        ConfigError: naming the first field that is unknown, missing or of the wrong type.
    """
    if not isinstance(data, dict):
        raise ConfigError(f"{where} must be an object of {kind.__name__}, got {data!r}")
    names = [field.name for field in dataclasses.fields(kind)]
    for name in data:
        if name not in names:
            raise ConfigError(f"unknown field {where}.{name}; {hint(name, names)}")
    for name in names:
        if name not in data:
            raise ConfigError(f"missing field {where}.{name}")
    hints = typing.get_type_hints(kind)
    return kind(**{name: _value(hints[name], data[name], f"{where}.{name}") for name in names})


def _plain(value: Any, name: str) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_json(value)
    if isinstance(value, tuple | list):
        return [_plain(item, name) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"field {name} is {value}, which JSON cannot hold")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ConfigError(f"field {name} holds a {type(value).__name__}, which JSON cannot hold")


def _value(hint_: Any, data: Any, where: str) -> Any:
    """`data` as a value of the annotated type `hint_`."""
    origin, args = typing.get_origin(hint_), typing.get_args(hint_)
    if origin in (typing.Union, types.UnionType):
        return _member(hint_, data, where)
    if isinstance(hint_, type) and dataclasses.is_dataclass(hint_):
        return from_json(hint_, data, where)
    if origin is tuple and isinstance(data, list):
        return _tuple(args, data, where)
    if origin is typing.Literal and any(data == choice and type(data) is type(choice) for choice in args):
        return data
    if hint_ is float and type(data) in (int, float):
        return float(data)
    if hint_ in (bool, int, str, type(None)) and type(data) is hint_:
        return data
    raise ConfigError(f"{where} must be {_type_name(hint_)}, got {data!r}")


def _member(union: Any, data: Any, where: str) -> Any:
    """`data` as the first member of a union that accepts it; dataclasses are told apart by "type"."""
    options = _dataclasses(union)
    if isinstance(data, dict) and len(options) > 1:
        kinds = {kind.__name__: kind for kind in options}
        if data.get("type") not in kinds:
            raise ConfigError(f"{where}.type must be one of {', '.join(kinds)}, got {data.get('type')!r}")
        rest = {name: value for name, value in data.items() if name != "type"}
        return from_json(kinds[data["type"]], rest, where)
    if isinstance(data, dict) and options:
        return from_json(options[0], data, where)
    for member in typing.get_args(union):
        with contextlib.suppress(ConfigError):
            return _value(member, data, where)
    raise ConfigError(f"{where} must be {_type_name(union)}, got {data!r}")


def _tuple(members: tuple[Any, ...], data: list[Any], where: str) -> tuple[Any, ...]:
    if len(members) == 2 and members[1] is Ellipsis:
        members = (members[0],) * len(data)
    if len(members) != len(data):
        raise ConfigError(f"{where} must have {len(members)} entries, got {len(data)}")
    pairs = zip(members, data, strict=True)
    return tuple(_value(member, item, f"{where}[{i}]") for i, (member, item) in enumerate(pairs))


def _dataclasses(hint_: Any) -> list[type]:
    members = typing.get_args(hint_)
    return [member for member in members if isinstance(member, type) and dataclasses.is_dataclass(member)]


def _type_name(hint_: Any) -> str:
    return hint_.__name__ if isinstance(hint_, type) and not typing.get_args(hint_) else str(hint_)


# ------------------------------------------------------------- differences


def differences(old: Any, new: Any, where: str = "") -> list[str]:
    """Where two JSON trees differ, one `field: old -> new` each."""
    if isinstance(old, dict) and isinstance(new, dict):
        names = [*old, *(name for name in new if name not in old)]
        prefix = f"{where}." if where else ""
        pairs = ((f"{prefix}{name}", old.get(name), new.get(name)) for name in names)
        return [line for name, before, after in pairs for line in differences(before, after, name)]
    return [] if old == new else [f"{where}: {old!r} -> {new!r}"]
