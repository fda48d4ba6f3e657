# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # PETS
#
# [Chua et al. 2018](https://arxiv.org/abs/1805.12114) learn how an environment moves with an ensemble of
# networks that each predict a mean and a variance, carry particles through it to value plans, and search
# for the best plan anew at every step. [docs/pets.md](../docs/pets.md) maps the paper to the code.
#
# This notebook draws the paper's figures from the results that come with the repository; nothing is
# trained. With `RUN = True` it also trains PETS itself, at smoke size: under a minute, to see it work
# rather than to see it learn.

# %%
# ruff: noqa: D100
import os

from imaginax.runtime.gallery import Gallery

RUN = False
RUN = RUN or os.environ.get("IMAGINAX_NOTEBOOK_RUN") == "1"
gallery = Gallery()

# %% [markdown]
# ## What the model knows, and what it knows that it does not
#
# Four models of the same noisy points (Fig. 1). Blue is the noise that a network predicts, orange what the
# members of an ensemble disagree on. Only the probabilistic ensemble (PE) has both: it knows the noise
# where there are data and is unsure where there are none.

# %%
gallery.figure("pets_uncertainty.py", "pets/uncertainty.json")

# %% [markdown]
# ## Return against trials
#
# The swing-up of the cart-pole (Fig. 3), beside soft actor-critic on the same task and planning with the
# true rules. A trial is 200 steps, eight seconds.

# %%
gallery.figure(
    "pets_returns.py", "pets/cartpole_laptop.json", "mpc/cartpole_cem.json", "baselines/sac_cartpole.json"
)

# %% [markdown]
# ## Which part matters
#
# Deterministic and probabilistic networks, alone and as ensembles, under every propagation that they allow
# (Fig. 4).

# %%
gallery.figure("pets_ablation.py", "pets/ablation.json")

# %% [markdown]
# ## The swing-up that was learned

# %%
gallery.picture("docs/pets_cartpole.gif", "imaginax train pets")

# %% [markdown]
# ## Training it here
#
# One random trial and two trials of 40 steps with tiny networks. `imaginax train pets` is the real thing,
# in minutes.

# %%
if RUN:
    from imaginax.learning.config import EnsembleFitConfig
    from imaginax.models.ensemble.config import EnsembleConfig
    from imaginax.planners.shooting.config import ShootingConfig
    from imaginax.runtime.run import train
    from imaginax.systems import pets
    from imaginax.systems.presets import pets as pets_presets

    smoke = pets_presets.PetsConfig(
        trials=2,
        trial_steps=40,
        model=EnsembleConfig(hidden=(32, 32), weight_decay=(0.0, 0.0, 0.0), particles=5),
        fit=EnsembleFitConfig(epochs=10),
        planner=ShootingConfig(horizon=10, population=40, elites=5, iterations=2),
    )
    summary = train(pets.make(smoke), logdir=gallery.scratch / "run")
    print(f"return of a fresh episode: {summary['eval_return']:.1f}")
    gallery.show(gallery.scratch / "run" / "figures" / "return.png", width=600)
else:
    print("RUN is False: nothing was trained here")

# %%
gallery.close()
