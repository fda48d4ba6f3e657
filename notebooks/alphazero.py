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
# # AlphaZero
#
# [Silver et al. 2018](https://arxiv.org/abs/1712.01815) learn a game from its rules alone: a network guides a
# tree search, and learns the moves that the search made of its guesses and the outcomes of the games.
# [docs/alphazero.md](../docs/alphazero.md) maps the paper to the code.
#
# This notebook draws the paper's figures from the results that come with the repository; nothing is
# trained. With `RUN = True` it also trains AlphaZero on tic-tac-toe, which takes a minute.

# %%
# ruff: noqa: D100
import os

from imaginax.runtime.gallery import Gallery

RUN = False
RUN = RUN or os.environ.get("IMAGINAX_NOTEBOOK_RUN") == "1"
gallery = Gallery()

# %% [markdown]
# ## Strength against training
#
# Elo ratings over moves of self-play (Fig. 1 of the paper), beside players that stay the same. The strongest
# opponent with many games stands at 0: the scale of another figure is another one. Triangles and dotted lines
# are bounds: whoever wins, or loses, nearly every game has no rating.

# %%
gallery.figure("alphazero_elo.py", "alphazero/connect_four.json")

# %% [markdown]
# ## Strength against thinking
#
# The same network with more and with fewer simulations of a move (Fig. 2 of the paper).

# %%
gallery.figure("alphazero_simulations.py", "alphazero/gardner_chess_simulations.json")

# %% [markdown]
# ## A game that it played

# %%
gallery.picture("docs/alphazero_connect_four.gif", "imaginax train alphazero")

# %% [markdown]
# ## Training it here
#
# Tic-tac-toe, preset `tiny`. The return is that against perfect play, where a draw is the best: 0.

# %%
if RUN:
    from imaginax.runtime.run import train
    from imaginax.systems import alphazero
    from imaginax.systems.presets import alphazero as alphazero_presets

    summary = train(alphazero.make(alphazero_presets.TINY), logdir=gallery.scratch / "run")
    print(f"return against perfect play: {summary['eval_return']:.2f}")
    gallery.show(gallery.scratch / "run" / "figures" / "return.png", width=600)
else:
    print("RUN is False: nothing was trained here")

# %%
gallery.close()
