from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from imaginax.runtime import interruption
from imaginax.runtime.interruption import interruptible


def press(number=signal.SIGINT):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", interruption.SIGNALS)
def test_a_signal_is_told_at_once_and_asks_the_run_to_stop(number):
    told = []
    before = signal.getsignal(number)
    with interruptible(told.append) as interrupted:
        press(number)
        assert interrupted.wait(5)
    assert told == [signal.Signals(number).name] and signal.getsignal(number) is before


def test_what_a_launcher_sends_twice_is_one_signal_and_a_second_ctrl_c_interrupts(monkeypatch):
    with interruptible() as interrupted:
        for _ in range(3):
            press()
        assert interrupted.is_set()
        monkeypatch.setattr(interruption, "_TOGETHER_S", 0.0)
        time.sleep(0.1)  # until the thread has heard the first
        with pytest.raises(KeyboardInterrupt):
            press()
            time.sleep(5)


def test_what_a_process_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible() as interrupted:
            press(signal.SIGHUP)
            assert not interrupted.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_outside_of_the_main_thread_signals_are_left_alone():
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def work():
        with interruptible() as event:
            seen.append((event.is_set(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, before)]


# Like a compiled program this takes minutes, lets other threads run, and returns to Python when it is done.
BUSY = """
import hashlib
from imaginax.runtime.interruption import interruptible
with interruptible(lambda name: print(name, flush=True), lambda: print("leaving", flush=True)):
    print("begun", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
"""


def test_inside_of_a_program_a_signal_is_told_at_once_and_a_second_ctrl_c_ends_the_process():
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "SIGINT\n"
        time.sleep(2 * interruption._TOGETHER_S)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30)[0] == "leaving\n"
    assert process.returncode == 130
