"""README.md: short, its commands and its program run, its numbers are those of the pages."""

from __future__ import annotations

import re
import runpy
import shlex

import pytest

from imaginax import cli, registry
from tests.docs.blocks import DOCS, blocks, missing_links, shortened

PAGE = DOCS.parent / "README.md"
TEXT = PAGE.read_text()
SHORTER = {
    "pets --logdir runs/pets ": "pets --logdir runs/pets --trials 1 --trial_steps 9 --fit.epochs 1 ",
    "--env pendulum --seeds 3": "--env pendulum --seeds 3 --preset tiny --trials 1 --trial_steps 12",
    "--episodes 5": "--episodes 1",
}
# What stands in the table, and the page and words that say it in full.
NUMBERS = {
    "176 of 200 after 8 trials of 8 s": ("pets.md", "mean of the seeds | 176.2"),
    "9 of 10 seeds swing up in trial 6": ("gp_mpc.md", "0, 3, 8, 6, 9 and 9 of the ten seeds succeed"),
    "9 of 10 seeds swing up in trial 4": (
        "gp_mpc.md",
        "0, 0, 0, 4, 9, 9 and 7 of ten seeds succeed, the random trial first",
    ),
    "843 of 1000 on cart-pole": ("planet.md", "| cart-pole swing-up | 821 | 843 | 248 |"),
    "810 of 1000 on cart-pole": ("dreamer.md", "ten episodes without noise, gave 810 of 1000 on average"),
    "Go 9x9: 39 of 40 against GNU Go level 1": (
        "alphazero.md",
        "| 1 | 6 | 12 | 18 | 23 | 32 | 35 | 40 | 33 | 39 |",
    ),
    "Go 5x5: 146 of 200 against GNU Go": ("alphago_zero.md", "of 200 games 146 are won against level 1"),
    "CartPole: 500 of 500, three seeds": ("muzero.md", "give 500, 500 and 500 of 500"),
    "RMSE 2.1 degrees over 20 missing frames": ("gpdm.md", "| 2.13 | 3.75 |"),
}


def test_it_is_short():
    words = re.sub(r"<img[^>]*>|\]\([^)]*\)", "]", TEXT)
    assert len(words.split()) <= 600 and len(TEXT.splitlines()) <= 85


@pytest.mark.slow
def test_its_commands_work_in_order(tmp_path, monkeypatch, capsys):
    """In an empty folder, each line as it would be pasted, with fewer steps."""
    monkeypatch.chdir(tmp_path)
    lines = shortened("\n".join(blocks(PAGE, "bash")), SHORTER).splitlines()
    assert len(lines) == 5
    for line in lines:
        program, *words = shlex.split(line, comments=True)
        assert program == "imaginax" and cli.main(words) == 0, line
    assert (tmp_path / "swing.gif").stat().st_size > 1000 and (tmp_path / "pendulum.png").exists()
    assert "IQM" not in capsys.readouterr().err


@pytest.mark.slow
def test_its_program_works(tmp_path, capsys):
    (program,) = blocks(PAGE, "python")
    (tmp_path / "readme.py").write_text(shortened(program, {"population=60": "population=20"}))
    runpy.run_path(str(tmp_path / "readme.py"))
    returns = [float(word) for word in re.findall(r"-?[\d.]+(?:e[+-]\d+)?", capsys.readouterr().out)]
    assert len(returns) == 4 and all(-700 < value <= 0 for value in returns)


def test_the_table_names_every_system_and_says_what_pages_say():
    table = [line for line in TEXT.splitlines() if line.startswith("| [")]
    pages = {re.search(r"\]\(docs/(\w+)\.md\)", line)[1] for line in table}
    systems = set(registry.SYSTEMS) - {"mpc", "pilco"}  # PILCO's page is that of GP-MPC
    assert systems <= pages and "imaginax train mpc" in TEXT and "| [PILCO]" in TEXT
    for line in table:
        measured = line.split("|")[3].strip()
        assert len(measured.split()) <= 12, line
        if "see docs" not in measured:
            page, words = next(value for start, value in NUMBERS.items() if measured.startswith(start))
            assert words in (DOCS / page).read_text(), (page, words)


def test_links_lead_somewhere():
    assert not missing_links(PAGE)
