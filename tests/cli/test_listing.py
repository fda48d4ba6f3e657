from __future__ import annotations

from imaginax import cli, envs
from imaginax.registry import PREFIXES
from tests.cli.toy_program import registered


def test_list_names_every_system_and_environment(monkeypatch, tmp_path, capsys):
    registered(monkeypatch, tmp_path)
    assert cli.main(["list"]) == 0
    out = capsys.readouterr().out
    assert "A line's slope." in out and "tiny, long" in out
    assert all(f"  {name}\n" in out for name in envs.names())
    assert all(f"\n  {prefix}:<" in out for prefix in PREFIXES)
