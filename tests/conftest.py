"""Settings of the whole test run.

They are environment variables, so that the programs that tests start get them too, and they are set
before anything imports jax. This file must not import imaginax: the annotation checker has to come first.
"""

import collections
import os
import signal
import sys
from pathlib import Path

import hypothesis
import pytest

# Compiled programs are kept between runs, which makes the second run several times faster.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imaginax" / "tests"

CONTRACT = "contract/test_contract.py"
CEILING = 180  # core-seconds that the contract of a system may cost, 90 s on two cores; these cost more
CEILINGS = {
    "alphago_zero": 300,
    "dreamer": 280,
    "dreamerv2": 310,
    "gp_mpc": 300,
    "muzero": 220,
    "pilco": 240,
    "planet": 310,
}
BEGAN = pytest.StashKey[float]()

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Tests compile for minutes and compute for seconds: without LLVM's optimisations they take half as long.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0".strip()
# LAPACK's own threads wait for each other by spinning: on busy cores small matrices take ten times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

# A script's background job ignores these, and would hand that on to the programs that tests interrupt.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

# An example may compile, so it has no deadline; the same examples every time, so that a failure repeats.
hypothesis.settings.register_profile(
    "imaginax", deadline=None, derandomize=True, database=None, max_examples=25
)
hypothesis.settings.load_profile("imaginax")


def _scope(nodeid: str) -> str:
    """The file of a test; of a test of tests/contract, its system."""
    file, _, test = nodeid.partition("::")
    return test.rpartition("[")[2] if file.endswith(CONTRACT) else file


def _core_seconds() -> float:
    """What this process and those that it started and that have ended took."""
    return sum(os.times()[:4])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    """Notes when a test began."""
    item.stash[BEGAN] = _core_seconds()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    """Counts the core-seconds of a test of a system; compiled programs go with a module."""
    done = yield
    if nextitem is None or _scope(nextitem.nodeid) != _scope(item.nodeid):
        if "jax" in sys.modules:
            sys.modules["jax"].clear_caches()
    if CONTRACT in item.nodeid:
        took = _core_seconds() - item.stash[BEGAN]
        item.user_properties.append(("cost", (_scope(item.nodeid).rstrip("]"), took)))
    return done


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Tests of a file share a worker and its fixtures; of tests/contract, those of a system.

    xdist's own way, `--dist loadgroup`, silently does nothing with pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return _scope(nodeid)

    return Scheduling(config, log)


def pytest_terminal_summary(terminalreporter):
    """The figures of tests/contract."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind]
    found = [value for report in reports for value in _promises(report)]
    if not found:
        return
    terminalreporter.section("promises kept")
    for name, promise, numbers in sorted(found, key=lambda row: (row[0], row[1])):
        shown = ", ".join(f"{what} {_number(value)}" for what, value in numbers.items())
        terminalreporter.write_line(f"{name:<14}{promise:<28}{shown}")
    _tell_costs(terminalreporter, reports)


def _tell_costs(terminalreporter, reports) -> None:
    """Core-seconds of each system, and which of them cost more than they may."""
    costs = collections.Counter()
    for report in reports:
        if getattr(report, "when", "") == "teardown":
            for name, seconds in (value for key, value in report.user_properties if key == "cost"):
                costs[name] += seconds
    terminalreporter.section("core-seconds of the contract")
    for name, seconds in costs.most_common():
        ceiling = CEILINGS.get(name, CEILING)
        much = "  MORE than it may cost" if seconds > ceiling else ""
        terminalreporter.write_line(f"{name:<14}{seconds:6.0f} of {ceiling}{much}")


def _promises(report):
    properties = getattr(report, "user_properties", ()) if getattr(report, "when", "") == "call" else ()
    return [value for key, value in properties if key == "promise"]


def _number(value: float) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
