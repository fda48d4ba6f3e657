"""Environments that users bring along: `package.module:function`, by name, by option, and what went wrong."""

from __future__ import annotations

import ast
import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from imaginax.errors import ConfigError
from imaginax.types import Environment, EnvSpec


def split_options(name: str) -> tuple[str, dict[str, Any]]:
    """`ant?backend=mjx&frames=2` as `ant` and keyword arguments; values are Python literals or else words.

    Raises:
        ConfigError: for an option that is no `key=value`.
    """
    base, _, rest = name.partition("?")
    options = {}
    for option in rest.split("&") if rest else ():
        key, equals, value = option.partition("=")
        if not equals or not key.isidentifier():
            raise ConfigError(f"env {name}: options are written ?key=value&key=value, got {option!r}")
        options[key] = _literal(value)
    return base, options


def _literal(word: str) -> Any:
    try:
        return ast.literal_eval(word)
    except (ValueError, SyntaxError):
        return word


def load(name: str, target: str, options: dict[str, Any]) -> Environment:
    """The environment that a function makes.

    Args:
        name: what the user wrote, for the messages.
        target: `package.module:function`; modules of the present folder are found too.
        options: keyword arguments of the function.

    Raises:
        ConfigError: in one line, if the module or the function is not there, fails, or makes something else.
    """
    module_name, _, path = target.partition(":")
    include_present_folder()
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # the user's code: anything may go wrong in it
        raise ConfigError(_not_imported(name, module_name, error)) from error
    made = getattr(module, path, None)
    if not callable(made):
        raise ConfigError(f"env {name}: module {module_name} has no function {path}")
    try:
        env: Any = made(**options)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(failure(f"cannot make env {name}", error)) from error
    if not isinstance(env, Environment) or not isinstance(env.spec, EnvSpec):
        found = f"Environment with a {type(env.spec).__name__}" if isinstance(env, Environment) else type(env)
        found = found if isinstance(found, str) else found.__name__
        raise ConfigError(
            f"env {name}: {path} must return an imaginax.types.Environment with an EnvSpec, got {found}"
        )
    return env


def _not_imported(name: str, module: str, error: Exception) -> str:
    missing = getattr(error, "name", None)
    if isinstance(error, ModuleNotFoundError) and missing and f"{module}.".startswith(f"{missing}."):
        return f"env {name}: there is no module {module} in the present folder or among the installed ones"
    return failure(f"env {name}: cannot import {module}", error)


def include_present_folder() -> None:
    """Lets modules of the present folder be imported, as `python -m` does, by the `imaginax` script too."""
    if not {"", os.getcwd()} & set(sys.path):
        sys.path.append(os.getcwd())


def failure(what: str, error: Exception) -> str:
    """One line about an exception: what failed, how, and where in the code."""
    told = str(error).strip().splitlines() or [""]
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{what}: {type(error).__name__}: {told[0]} ({Path(place.filename).name}:{place.lineno})"
