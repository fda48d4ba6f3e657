from __future__ import annotations

from imaginax import cli, envs
from imaginax.registry import PREFIXES
from tests.cli.toy_program import registered


def test_list_names_every_system_and_environment(monkeypatch, tmp_path, capsys):
    registered(monkeypatch, tmp_path)
    assert cli.main(["list"]) == 0
    out = capsys.readouterr().out
    assert "A line's slope." in out and "tiny, long" in out
    lines = out.splitlines()
    assert all(any(line.split()[:1] == [name] for line in lines) for name in envs.names())
    assert "  pets_cartpole                 4            1 in [-3, 3]              200" in lines
    assert "  control_cheetah_run           17           6 in [-1, 1]              1000   control" in lines
    assert max(map(len, lines[lines.index(next(line for line in lines if "observation" in line)) :])) <= 100
    assert all(f"\n  {prefix}:<" in out for prefix in PREFIXES)
