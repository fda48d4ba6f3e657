from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from imaginax.runtime import checkpoint
from imaginax.runtime.checkpoint import CheckpointError
from imaginax.runtime.checkpoint import peers as checkpoint_peers
from tests.runtime.checkpoint import checkpoint_program as program

PROGRAM = Path(program.__file__)


def start(*arguments):
    command = [sys.executable, str(PROGRAM), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def told(process):
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err[-2000:]
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("shared") / "checkpoints"


@pytest.fixture(scope="module")
def together(folder):
    """What two processes of two devices tell of saving and restoring."""
    port = free_port()
    processes = [start("together", folder, port, process) for process in (0, 1)]
    return [told(process) for process in processes]


@pytest.mark.slow
def test_two_processes_save_half_each_and_restore_the_same(together):
    for begun, first, second, failure, restored, again in together:
        assert begun == {"devices": 4, "nothing": None}
        for saved in (first, second):
            assert program.BIG / 2 <= saved["written"] < program.BIG / 2 + 2**17
        assert failure["failure"].endswith("/3: process 1: no space left on this node")
        assert (restored["step"], restored["progress"], restored["same"]) == (2, {"step": 2}, True)
        assert restored["held"] == program.BIG / 2
        assert (again["step"], again["same"]) == (1, True)
        assert len(again["skipped"]) == 1 and "/2 is invalid: index.json is changed" in again["skipped"][0]
    # Process 0 reads every byte to compare it with the manifest; the other only its half.
    read = [restored["read"] for *_, restored, _ in together]
    assert program.BIG / 2 <= read[1] < program.BIG / 2 + 2**17 and read[0] < 1.5 * program.BIG + 2**17


@pytest.mark.slow
def test_one_process_restores_what_two_have_saved(together, folder):
    """On eight devices, with the same axis sharded or another, and on one without a sharding."""
    for result in told(start("alone", folder)):
        assert result == {"kind": result["kind"], "devices": 8, "step": 1, "same": True}
    restored = checkpoint.restore(folder, program.like("default"))
    assert program.same(restored.state, "default", 1)


class Service:
    """The coordination service, for threads that play the processes."""

    def __init__(self):
        self.values, self.changed = {}, threading.Condition()

    def key_value_set(self, key, value):
        with self.changed:
            assert key not in self.values
            self.values[key] = value
            self.changed.notify_all()

    def blocking_key_value_get(self, key, timeout_ms):
        with self.changed:
            assert self.changed.wait_for(lambda: key in self.values, 20)
            return self.values[key]


def play(monkeypatch, count, act):
    """What `act(peers, process)` returns or raises, in each of `count` processes."""
    service, here, results = Service(), threading.local(), {}
    monkeypatch.setattr(checkpoint_peers, "_client", lambda: service)
    monkeypatch.setattr(checkpoint_peers.jax, "process_count", lambda: count)
    monkeypatch.setattr(checkpoint_peers.jax, "process_index", lambda: here.process)
    peers = [checkpoint_peers.Peers() for _ in range(count)]

    def run(process):
        here.process = process
        peers[process]._meeting = "meeting"
        try:
            results[process] = act(peers[process], process)
        except CheckpointError as error:
            results[process] = str(error)

    threads = [threading.Thread(target=run, args=(process,)) for process in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return [results[process] for process in range(count)]


def test_all_follow_the_first_and_hear_of_every_fault(monkeypatch):
    def meet(peers, process):
        return peers.lead(lambda: [process]), peers.all(lambda: process)

    def stumble(peers, process):
        meet(peers, process)
        peers.all(lambda: 1 // (process - 2))

    with monkeypatch.context() as patch:
        assert play(patch, 3, meet) == [([0], 0), ([0], 1), ([0], 2)]
    with monkeypatch.context() as patch:
        assert play(patch, 5, stumble) == ["process 2: integer division or modulo by zero"] * 5

    def fail():
        raise CheckpointError("nothing there\nsecond line")

    with monkeypatch.context() as patch:
        assert play(patch, 3, lambda peers, process: peers.lead(fail)) == ["nothing there"] * 3


def test_alone_nothing_is_asked_of_jax_distributed():
    peers = checkpoint_peers.Peers()
    assert checkpoint_peers._client() is None
    assert peers.lead(lambda: object) is object and peers.all(lambda: object) is object
