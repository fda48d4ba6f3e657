"""The figures of Dreamer and DreamerV2: their commands are understood, and what was measured is drawn."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from imaginax import registry
from imaginax.runtime import config as configs
from imaginax.runtime import plotting

FIGURES = Path(__file__).parents[2] / "experiments" / "figures"
NAMES = "dreamer_returns", "dreamer_horizon", "dreamer_objectives", "dreamerv2_ablation", "dreamerv2_minatar"


@pytest.fixture
def script(monkeypatch, tmp_path):
    """A name -> the module, whose results are in a folder of their own."""
    monkeypatch.syspath_prepend(str(FIGURES))

    def load(name):
        for module in ("variants", name):
            sys.modules.pop(module, None)
        variants = importlib.import_module("variants")
        monkeypatch.setattr(variants, "ROOT", tmp_path)
        return variants, importlib.import_module(name)

    return load


def studies(module):
    return list(getattr(module, "STUDIES", {}).values()) or [module.STUDY]


def parsed(words):
    """What `imaginax train` reads of a variant's command."""
    system, *rest = words.split()
    given = dict(zip(rest[::2], rest[1::2], strict=False)) if "--preset" in rest else {}
    env, left = given.get("--env"), rest[2 + 2 * ("--env" in given) :]
    return configs.parse(registry.entry(system), given["--preset"], env, left)


@pytest.mark.parametrize("name", NAMES)
def test_every_variant_is_a_command_and_no_two_are_the_same(script, name):
    for study in studies(script(name)[1]):
        found = [parsed(words) for words in study.variants.values()]
        assert all(a != b for i, a in enumerate(found) for b in found[:i])


@pytest.mark.parametrize("name", NAMES)
def test_what_was_measured_is_drawn(script, name):
    variants, module = script(name)
    study = studies(module)[0]
    random, steps = np.random.default_rng(0), list(range(1000, 41_000, 1000))
    found = {}
    for variant in list(study.variants)[:4]:
        returns = random.normal(size=(3, len(steps))).cumsum(axis=1)
        returns[0, :3] = np.nan
        found[variant] = {"env_steps": steps, "return_per_seed": returns.tolist()}
        found[variant]["eval_return_per_seed"] = returns[:, -1].tolist()
    record = dict.fromkeys(plotting.RESULT_FIELDS, 0) | {"variants": found}
    study.path.parent.mkdir(parents=True)
    plotting.write_results(study.path, record)
    assert list(variants.read(study)) == list(found)
    assert module.draw().stat().st_size > 10_000


def test_a_running_mean_leaves_out_what_is_not_there(script):
    variants, _ = script("dreamer_objectives")
    found = variants._smooth(np.array([np.nan, 2.0, 4.0, np.nan, 8.0]), 2)
    np.testing.assert_allclose(found, [np.nan, 2.0, 3.0, 4.0, 8.0])


@pytest.mark.slow
def test_a_variant_is_trained_and_kept(script, tmp_path):
    variants, module = script("dreamerv2_ablation")
    more = "--preset tiny --env diagnostic_chain --chunks 2 --updates 2 --eval-episodes 2".split()
    variants.measure(module.STUDY, ["no reward gradient"], tmp_path / "runs", seeds=2, more=more)
    found = variants.read(module.STUDY)
    assert list(found) == ["no reward gradient"]
    assert len(found["no reward gradient"]["eval_return_per_seed"]) == 2
    assert plotting.read_results(module.STUDY.path)["config"]["objective"]["reward_gradient"] is False
    assert module.draw().exists()
