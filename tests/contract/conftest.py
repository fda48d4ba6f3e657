"""One trained run a system and session; tests/conftest.py prints the table of figures at the end.

Nothing here may import imaginax at the top: the annotation checker has to come first.
"""

from __future__ import annotations

import pytest


def pytest_generate_tests(metafunc):
    if "name" in metafunc.fixturenames:
        from imaginax import registry

        metafunc.parametrize("name", registry.SYSTEMS, scope="session")


@pytest.fixture(scope="session")
def entry(name):
    from imaginax import registry

    return registry.entry(name)


@pytest.fixture(scope="session")
def system(entry):
    return entry.make(entry.preset("tiny", None))


@pytest.fixture(scope="session")
def compiled_programs(system):
    """The programs of a system, which several promises look at: the same functions, so traced once."""
    from imaginax.runtime import export

    return export.programs(system)


@pytest.fixture(scope="session")
def trained(name, tmp_path_factory):
    """The run directory of an undisturbed `imaginax train SYSTEM --preset tiny`, and its outcome."""
    from imaginax import cli
    from tests.contract import processes

    logdir = tmp_path_factory.mktemp(name) / "run"
    assert cli.main(processes.words(name, logdir)) == 0
    return logdir, processes.outcome(logdir)


@pytest.fixture(autouse=True)
def wide(request):
    """A test of a system computes in the precision of the system."""
    if "name" not in request.fixturenames:
        yield
        return
    from imaginax.runtime.precision import precision

    with precision(request.getfixturevalue("system")):
        yield


@pytest.fixture
def figures(record_property, name):
    """Keeps the figures of a promise for the table: figures(promise, {what: number})."""

    def keep(promise: str, numbers: dict[str, float]) -> None:
        record_property("promise", [name, promise, numbers])

    return keep
