"""What tests/contract runs in processes of their own.

    child.py cli [--stop-at N SIGNAL] WORDS...

The command line, with the faulty systems of `faults` registered; when the N-th line is printed the process
signals itself.

    child.py learn SYSTEM STATE OUT DEVICES

One `learn` on a mesh of all devices of all processes: reads the state's arrays from STATE and writes the
learner's to OUT.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))


class SignalAtLine:
    """Standard output that signals its own process when a line is complete."""

    def __init__(self, stream, line: int, number: int):
        self._stream, self._left, self._number = stream, line, number

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def write(self, text):
        written = self._stream.write(text)
        before, self._left = self._left, self._left - text.count("\n")
        if before > 0 >= self._left:
            os.kill(os.getpid(), self._number)
        return written


def register() -> None:
    from imaginax import registry
    from tests.contract import faults

    registry.SYSTEMS.update({name: (lambda entry=entry: entry) for name, entry in faults.entries().items()})


def command_line(words: list[str]) -> int:
    from imaginax import cli

    if words[0] == "--stop-at":
        sys.stdout = SignalAtLine(sys.stdout, int(words[1]), getattr(signal, words[2]))
        words = words[3:]
    return cli.main(words)


def learn(name: str, state: str, out: str, devices: str) -> int:
    from imaginax.runtime import distributed

    distributed.initialise(devices=int(devices))
    from imaginax import registry
    from imaginax.runtime.compilation import enable_cache
    from imaginax.runtime.precision import precision
    from tests.contract import parallel

    enable_cache()
    system = parallel.system_of(registry.entry(name), parallel.FEW)
    mesh = distributed.make_mesh()
    assert mesh.size == int(devices), mesh
    with precision(system):
        learner = parallel.learn_on(mesh, system, Path(state))
    if distributed.is_leader():
        parallel.save(Path(out), learner)
    return 0


if __name__ == "__main__":
    register()
    mode, *rest = sys.argv[1:]
    sys.exit(command_line(rest) if mode == "cli" else learn(*rest))
