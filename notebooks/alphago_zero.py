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
# # AlphaGo Zero
#
# [Silver et al. 2017](https://doi.org/10.1038/nature24270) learn Go without people's games: the best network
# so far plays itself, the next one learns from these games and takes its place once it beats it.
# [docs/alphago_zero.md](../docs/alphago_zero.md) maps the paper to the code.
#
# This notebook draws the paper's figures from the results that come with the repository; nothing is
# trained. With `RUN = True` it also trains AlphaGo Zero on tic-tac-toe, which takes a minute.

# %%
# ruff: noqa: D100
import os

from imaginax.runtime.gallery import Gallery

RUN = False
RUN = RUN or os.environ.get("IMAGINAX_NOTEBOOK_RUN") == "1"
gallery = Gallery()

# %% [markdown]
# ## Self-play beside people's games
#
# Strength, people's moves predicted and the error about the outcomes of their games (Fig. 3 of the paper) on
# 9x9, for the network of self-play and for the same network taught by people's games.

# %%
gallery.figure("alphago_zero_human.py", "alphago_zero/human.json")

# %% [markdown]
# ## Four networks
#
# One trunk for policy and value or one for each, with residual blocks or without, all taught by the same
# games of self-play (Fig. 4 of the paper).

# %%
gallery.figure("alphago_zero_networks.py", "alphago_zero/networks.json")

# %% [markdown]
# ## Training it here
#
# Tic-tac-toe, preset `tiny`. The return is that against perfect play, where a draw is the best: 0.

# %%
if RUN:
    from imaginax.runtime.run import train
    from imaginax.systems import alphago_zero
    from imaginax.systems.presets import alphago_zero as alphago_zero_presets

    summary = train(alphago_zero.make(alphago_zero_presets.TINY), logdir=gallery.scratch / "run")
    print(f"return against perfect play: {summary['eval_return']:.2f}")
    gallery.show(gallery.scratch / "run" / "figures" / "return.png", width=600)
else:
    print("RUN is False: nothing was trained here")

# %%
gallery.close()
