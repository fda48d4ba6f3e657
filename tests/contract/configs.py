"""Promise 7: a configuration works, or is refused before compilation by one line that names the field.

Command lines are read as on a terminal, for which the parser would colour and break its complaints.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Sequence

import jax
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from imaginax.runtime import config as configs
from imaginax.runtime import memory
from imaginax.runtime.run_directory import describe
from imaginax.types import ConfigError
from tests.cli.terminals import Screen

EXAMPLES = 100
PATIENCE = 60.0  # seconds until a command line is refused or traced
LIMIT = 2**32  # bytes of memory that the machine of the test has

NUMBERS = ["0", "1", "2", "7", "-1", "3.5", "1e3", "1e-30", "1e308", "1e400", "nan", "inf", "-inf", "-0.0"]
HUGE = ["1000000000", "9223372036854775808", "1" + "0" * 40]
WORDS = [
    "",
    " ",
    "true",
    "None",
    "PE",
    "cem",
    "[1]",
    "{}",
    "--",
    "-",
    "1,2",
    "zwölf",
    "../x",
    "$HOME",
    "x" * 300,
]
ENVIRONMENTS = ["diagnostic_chain", "diagnostic_bandit", "pendulum", "moon", ""]


def refuses_what_cannot_work(entry) -> dict[str, int]:
    """Mutated command lines of preset `tiny`; figures: how many were refused, with how many kinds of line."""
    seen = {"accepted": 0, "refused": 0}
    messages = set()

    @settings(max_examples=EXAMPLES, phases=[Phase.generate], derandomize=True, database=None, deadline=None)
    @given(mutations(entry))
    def run(words):
        began = time.monotonic()
        message = outcome(entry, words)
        took = time.monotonic() - began
        assert took < PATIENCE, f"{words} took {took:.0f} s"
        seen["refused" if message else "accepted"] += 1
        if message:
            messages.add(kind(message))

    run()
    assert seen["refused"] > EXAMPLES // 4, f"the mutations are too tame: {seen}"
    assert seen["accepted"], f"nothing is accepted: {seen}"
    return seen | {"kinds": len(messages)}


def outcome(entry, words: Sequence[str]) -> str | None:
    """What a command line is refused with before compilation; None if a run of it could begin."""
    try:
        with contextlib.redirect_stdout(Screen()):
            config = configs.parse(entry, "tiny", None, words)
        system = entry.make(config)
        describe(system, preset="tiny", seeds=1, seed=0)
        memory.check(system, seeds=1, limit=LIMIT)
        _trace(system)
        return None
    except ConfigError as error:
        message = str(error)
        assert message and len(message.splitlines()) == 1, f"{words} is refused with {message!r}"
        assert len(message) < 1000, f"{words} is refused with {len(message)} letters"
        assert any(word in message for word in _named(words)), f"{words} is refused without a name: {message}"
        return message
    except SystemExit as request:  # --help
        assert not request.code, words
        return None


def _named(words: Sequence[str]) -> list[str]:
    """What a message about a command line may name: a field without its groups, or a stray word."""
    return [
        word.split(".")[-1].removeprefix("--") if word.startswith("--") else word.strip()[:20]
        for word in words
    ]


def _trace(system) -> None:
    """What compiling the programs would do first; tracing finds sizes and numbers that no array can have."""
    state = jax.eval_shape(system.init, jax.random.key(0))
    params = jax.eval_shape(system.params_of, state.learner)
    jax.eval_shape(system.act, params, state.carry, state.timestep, state.key)
    for stage in system.schedule:
        assert stage.chunks >= 1 and stage.env_steps >= 1 and stage.updates >= 0, stage
        if stage.updates:
            jax.eval_shape(stage.learn or system.learn, state.learner, state.replay, state.key)


def kind(message: str) -> str:
    """A message without its numbers and quotations."""
    return " ".join(word for word in message.split() if word.isalpha())[:60]


def mutations(entry) -> st.SearchStrategy[list[str]]:
    """One to three changes of a command line, most of them of fields that exist."""
    base = entry.preset("tiny", None)
    values = dict(_values(base))
    known = [_field(name, value) for name, value in values.items()]
    other = [
        st.sampled_from(ENVIRONMENTS).map(lambda env: ["--env", env]),
        st.sampled_from(list(values)).map(lambda name: [name[:-1], "1"]),
        st.sampled_from(list(values)).map(lambda name: ["--zz." + name[2:], "1"]),
        st.sampled_from(list(values)).map(lambda name: [name]),
        st.sampled_from(WORDS[1:]).map(lambda word: [word]),
    ]
    change = st.one_of(*known, *known, *other)
    return st.lists(change, min_size=1, max_size=3, unique_by=lambda words: words[0]).map(
        lambda parts: [word for part in parts for word in part]
    )


def _values(config, prefix: str = "--") -> list[tuple[str, object]]:
    pairs = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        nested = dataclasses.is_dataclass(value)
        pairs += _values(value, f"{prefix}{field.name}.") if nested else [(prefix + field.name, value)]
    return pairs


def _field(name: str, value) -> st.SearchStrategy[list[str]]:
    """A field with a word of its own type, or of any."""
    word = st.sampled_from(NUMBERS + HUGE + WORDS)
    if isinstance(value, int | float) and not isinstance(value, bool):
        word = st.one_of(st.sampled_from(NUMBERS + HUGE), st.integers(-3, 40).map(str), word)
    if isinstance(value, tuple):
        return st.lists(word, max_size=len(value) + 1).map(lambda words: [name, *words])
    return word.map(lambda word: [name, word])
