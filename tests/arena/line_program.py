"""A program that speaks GTP or UCI, badly in the way that its argument names; started by test_programs.py."""

import signal
import sys
import time


def gtp(mood: str) -> None:
    """A 5x5 Go program that only passes."""
    for line in sys.stdin:
        command = line.split()[0]
        if mood == "silent" and command == "genmove":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
        if mood == "dying" and command == "genmove":
            sys.exit(7)
        if mood == "refusing" and command == "boardsize":
            print("? unacceptable size\n", flush=True)
            continue
        answers = {"genmove": "E9" if mood == "illegal" else "PASS", "list_commands": "genmove\nundo"}
        answers["final_score"] = "W+24.5"
        if mood.lower() == "resigning":
            answers["genmove"] = "resign" if mood == "resigning" else "RESIGN"
        if mood.startswith("score="):
            answers["final_score"] = mood.removeprefix("score=")
        if answers.get(command) == "?":
            print("? cannot score\n", flush=True)
            continue
        print(f"= {answers.get(command, '')}\n", flush=True)


def uci() -> None:
    """Answers `e7e5` to everything."""
    for line in sys.stdin:
        words = {"uci": "id name toy\noption name Skill Level type spin\nuciok", "isready": "readyok"}
        words["go"] = "info depth 1\nbestmove e7e5 ponder e2e4"
        if line.split()[0] in words:
            print(words[line.split()[0]], flush=True)


if __name__ == "__main__":
    uci() if sys.argv[1] == "uci" else gtp(sys.argv[1])
