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
# # GPDM
#
# Wang, Fleet and Hertzmann (NIPS 2005, PAMI 2008) explain a motion of many channels by a path in few
# dimensions: one Gaussian process maps positions to frames, another maps each position to the next.
# [docs/gpdm.md](../docs/gpdm.md) maps the papers to the code.
#
# This notebook draws figures from the results that come with the repository; nothing is fitted. With
# `RUN = True` it also fits a model to a generated walk, which takes a minute.

# %%
# ruff: noqa: D100
import os

from imaginax.runtime.gallery import Gallery

RUN = False
RUN = RUN or os.environ.get("IMAGINAX_NOTEBOOK_RUN") == "1"
gallery = Gallery()

# %% [markdown]
# ## Latent walks
#
# Without dynamics (a GPLVM) the path may jump; with them it is smooth, and smoother when they are balanced.

# %%
gallery.figure("gpdm_latent.py", "gpdm/latent.json")

# %% [markdown]
# ## New motion
#
# The mean of the dynamics can be followed, and whole trajectories can be drawn by Hamiltonian Monte Carlo.

# %%
gallery.figure("gpdm_samples.py", "gpdm/samples.json")

# %% [markdown]
# ## Missing frames
#
# Gaps in two recorded walks, beside interpolation; settings were chosen on the first. In the film the
# recording is grey, the reconstruction has colours.

# %%
gallery.figure("gpdm_missing.py", "gpdm/missing_07_01.json", "gpdm/missing_07_02.json")
gallery.picture("docs/gpdm_missing.gif", "experiments/figures/gpdm_missing.py --motion DIR/07_01.amc")

# %% [markdown]
# ## Fitting one here
#
# Every fourth frame of the generated walk, ten of them missing, preset `tiny`. The return is minus the RMSE
# of the missing frames, in degrees.

# %%
if RUN:
    from imaginax.runtime.run import train
    from imaginax.systems import gpdm
    from imaginax.systems.presets import gpdm as gpdm_presets

    summary = train(gpdm.make(gpdm_presets.TINY), logdir=gallery.scratch / "run")
    print(f"RMSE: {-summary['eval_return']:.2f}")
    gallery.show(gallery.scratch / "run" / "figures" / "return.png", width=600)
else:
    print("RUN is False: nothing was trained here")

# %%
gallery.close()
