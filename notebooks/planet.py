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
# # PlaNet
#
# [Hafner et al. 2019](https://arxiv.org/abs/1811.04551) learn from images how a world behaves in a small
# latent state, and plan in that state: no policy is learned. [docs/planet.md](../docs/planet.md) maps the
# paper to the code.
#
# This notebook draws the paper's figures from the results that come with the repository; nothing is
# trained. With `RUN = True` it also trains PlaNet on a small linear system, which takes a minute.

# %%
# ruff: noqa: D100
import os

from imaginax.runtime.gallery import Gallery

RUN = False
RUN = RUN or os.environ.get("IMAGINAX_NOTEBOOK_RUN") == "1"
gallery = Gallery()

# %% [markdown]
# ## Return against steps
#
# Tasks of the control suite from images, presets `laptop` and `gpu`, beside the score that the paper reports
# for its full size after a million steps (Table 1).

# %%
gallery.figure("planet_returns.py", "planet/cartpole_laptop.json")

# %% [markdown]
# ## What it expects to see
#
# Five images are seen, fifty more are imagined from the actions alone.

# %%
gallery.figure("planet_open_loop.py", "planet/open_loop_gpu.json")
gallery.picture("docs/planet_open_loop_gpu.gif", "experiments/figures/planet_open_loop.py --run --preset gpu")

# %% [markdown]
# ## What it needs
#
# Fig. 4 and 5 of the paper on the cart-pole: halves of the state, latent overshooting, data from random
# actions, random shooting instead of the cross-entropy method.

# %%
gallery.figure("planet_ablation.py", "planet/ablation.json")

# %% [markdown]
# ## Training it here
#
# A linear system with quadratic cost, preset `tiny`. The best possible return is -1.6, doing nothing gets
# -8.3.

# %%
if RUN:
    from imaginax.runtime.run import train
    from imaginax.systems import planet
    from imaginax.systems.presets import planet as planet_presets

    summary = train(planet.make(planet_presets.TINY), logdir=gallery.scratch / "run")
    print(f"return: {summary['eval_return']:.2f}")
    gallery.show(gallery.scratch / "run" / "figures" / "return.png", width=600)
else:
    print("RUN is False: nothing was trained here")

# %%
gallery.close()
