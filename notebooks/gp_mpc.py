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
# # GP-MPC and PILCO
#
# Kamthe and Deisenroth (AISTATS 2018) learn to swing a cart-pole up within seconds of experience: Gaussian
# processes of the dynamics, beliefs carried through them by exact moment matching, and a new plan at every
# step. PILCO (ICML 2011) searches for a policy on the same moment matching.
# [docs/gp_mpc.md](../docs/gp_mpc.md) maps the papers to the code.
#
# This notebook draws figures from the results that come with the repository; nothing is trained. With
# `RUN = True` it also controls the linear test task, which takes a minute.

# %%
# ruff: noqa: D100
import os

from imaginax.runtime.gallery import Gallery

RUN = False
RUN = RUN or os.environ.get("IMAGINAX_NOTEBOOK_RUN") == "1"
gallery = Gallery()

# %% [markdown]
# ## Success against trials
#
# A trial takes 3 s and the first is random. It succeeds when the tip stays near its target for ten steps.

# %%
gallery.figure("gp_mpc_success.py", "gp_mpc/cartpole_gp_mpc.json")

# %% [markdown]
# ## Limits on the state
#
# A wall beside the cart-pole, an angle that the double pendulum may not pass. Chance constraints keep the
# belief's tails away from them, the other variants its mean alone, or nothing.

# %%
gallery.figure("gp_mpc_constraints.py", "gp_mpc/cartpole_wall_gp_mpc.json")

# %% [markdown]
# ## Control of the linear test task
#
# Preset `tiny`: the best mean return is -1.7, doing nothing gets -8.4.

# %%
if RUN:
    from imaginax.runtime.run import train
    from imaginax.systems import gp_mpc
    from imaginax.systems.presets import gp_mpc as gp_mpc_presets

    summary = train(gp_mpc.make(gp_mpc_presets.TINY), logdir=gallery.scratch / "run")
    print(f"mean return: {summary['eval_return']:.2f}")
    gallery.show(gallery.scratch / "run" / "figures" / "return.png", width=600)
else:
    print("RUN is False: nothing was trained here")

# %%
gallery.close()
