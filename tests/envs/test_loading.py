"""Environments that users bring along: names, options, entry points, and one line for what fails."""

from __future__ import annotations

import json
import subprocess
import sys

import jax
import pytest

from imaginax import cli, envs
from imaginax.envs import loading
from imaginax.types import ConfigError

PLANT = '''
import jax.numpy as jnp
from imaginax.envs.physical import restart, transition
from imaginax.types import Box, Environment, EnvSpec

def plant(pull=1.0):
    """x' = x + 0.1 pull a, reward -x'^2, ten steps."""
    spec = EnvSpec("plant", Box((1,)), Box((1,), -1.0, 1.0), max_steps=10)
    def init(key):
        return jnp.ones(1), restart(jnp.ones(1))
    def step(state, action, key):
        after = state + 0.1 * pull * action
        return after, transition(after, -jnp.sum(after**2))
    def reward(observation, action, following):
        return -jnp.sum(following**2, axis=-1)
    return Environment(spec, init, step, reward=reward)

def nothing():
    return None

def breaks():
    raise RuntimeError("no motor\\nat all")

number = 3
'''
SMALL = ["--trials", "1", "--fit.epochs", "1", "--model.hidden", "4", "--model.weight_decay", "0", "0"]
SMALL += ["--planner.population", "4", "--planner.elites", "2", "--planner.iterations", "1"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A present folder with a module of its own, which other tests do not see."""
    (tmp_path / "plants_here.py").write_text(PLANT)
    (tmp_path / "syntax_here.py").write_text("def f(:\n")
    (tmp_path / "needs_here.py").write_text("import not_installed_anywhere\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    yield tmp_path
    for name in ("plants_here", "syntax_here", "needs_here"):
        sys.modules.pop(name, None)


def test_a_function_of_the_present_folder_makes_an_environment_with_its_time_limit(folder):
    env = envs.make("plants_here:plant", max_steps=3, action_repeat=2)
    assert env.spec.name == "plants_here:plant" and env.spec.max_steps == 2
    state, timestep = env.init(jax.random.key(0))
    state, timestep = env.step(state, jax.numpy.ones(1), jax.random.key(0))
    assert timestep.observation == pytest.approx(1.2) and not timestep.last
    assert env.step(state, jax.numpy.ones(1), jax.random.key(0))[1].truncated


def test_options_reach_the_function(folder):
    env = envs.make("plants_here:plant?pull=5")
    state, _ = env.init(jax.random.key(0))
    assert env.step(state, jax.numpy.ones(1), jax.random.key(0))[0].inner == pytest.approx(1.5)
    assert env.spec.name == "plants_here:plant?pull=5"
    assert loading.split_options("a?b=2&c=mjx&d=False") == ("a", {"b": 2, "c": "mjx", "d": False})


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("plants_nowhere:plant", "no module plants_nowhere in the present folder"),
        ("plants_here.sub:plant", "no module plants_here.sub"),
        ("plants_here:plan", "module plants_here has no function plan"),
        ("plants_here:number", "module plants_here has no function number"),
        ("plants_here:nothing", "must return an imaginax.types.Environment with an EnvSpec, got NoneType"),
        ("plants_here:breaks", r"RuntimeError: no motor \(plants_here.py:\d+\)"),
        ("plants_here:plant?push=2", "TypeError: plant.. got an unexpected keyword argument 'push'"),
        ("plants_here:plant?pull", "options are written"),
        ("syntax_here:f", "cannot import syntax_here: SyntaxError"),
        ("needs_here:f", "No module named 'not_installed_anywhere'"),
        ("gim:Pendulum-v1", "unknown prefix of environment"),
    ],
)
def test_what_cannot_be_loaded_is_named_in_one_line(folder, name, told):
    with pytest.raises(ConfigError, match=told) as error:
        envs.make(name)
    assert "\n" not in str(error.value) and "env" in str(error.value) and name in str(error.value)


def test_a_distribution_registers_names(folder, capsys):
    meta = folder / "plants-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: plants\nVersion: 1.0\n")
    points = "[imaginax.envs]\nmy_plant = plants_here:plant\npendulum = plants_here:plant\n"
    (meta / "entry_points.txt").write_text(points)
    assert "my_plant" not in envs.names()
    sys.path.append(str(folder))
    assert envs.names()[-1] == "my_plant"
    assert envs.make("my_plant").spec.name == "my_plant"
    assert envs.make("pendulum").spec.max_steps == 200  # a name of this package stays what it is
    assert cli.main(["list"]) == 0 and "\n  my_plant\n" in capsys.readouterr().out


def test_names_need_no_jax():
    program = "import sys; from imaginax import envs; envs.names(); sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_games_of_ones_own_keep_their_state_and_their_length(folder):
    (folder / "games_here.py").write_text(
        "from imaginax.envs.games.environment import environment\n"
        "def three():\n    return environment('tic_tac_toe')\n"
    )
    env = envs.make("games_here:three")
    assert env.spec.name == "games_here:three" and env.game.planes(env.init(jax.random.key(0))[0]).ndim == 3
    with pytest.raises(ConfigError, match="ends after 9 moves, not after 5"):
        envs.make("games_here:three", max_steps=5)


@pytest.mark.slow
def test_a_run_finds_its_environment_again(folder, capsys, monkeypatch):
    """train, again, eval, play and export, each with the module forgotten, as a new process has it."""

    def run(*words: str) -> tuple[int, str]:
        sys.modules.pop("plants_here", None)
        code = cli.main(words)
        return code, "".join(capsys.readouterr())

    train = ["train", "pets", "--preset", "tiny", "--env", "plants_here:plant", *SMALL, "--logdir", "runs/it"]
    assert run(*train)[0] == 0
    assert json.loads((folder / "runs/it/config.json").read_text())["config"]["env"] == "plants_here:plant"
    assert run(*train[:-2], "--trials", "2", "--logdir", "runs/it")[0] == 0
    assert "mean -" in run("eval", "runs/it", "--episodes", "2")[1]
    assert "episode 1: return -" in run("play", "runs/it")[1]
    assert run("export", "runs/it", "--platform", "cpu", "--output", "programs")[0] == 0
    assert (
        json.loads((folder / "programs/table.json").read_text())["programs"][0]["env"] == "plants_here:plant"
    )
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(folder)])
    code, told = run("eval", "../runs/it")
    assert code == 2 and "env plants_here:plant: there is no module plants_here" in told
