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
# # DreamerV2
#
# [Hafner et al. 2021](https://arxiv.org/abs/2010.02193) give Dreamer a world model whose stochastic state is
# a vector of categorical choices. [docs/dreamerv2.md](../docs/dreamerv2.md) maps the paper to the code.
#
# The divergence is balanced (Algorithm 2, $\alpha = 0.8$, sg stops gradients):
#
# $$\alpha\,\mathrm{KL}(\mathrm{sg}(q) \,\Vert\, p) + (1 - \alpha)\,\mathrm{KL}(q \,\Vert\, \mathrm{sg}(p))$$
#
# and the actor's objective mixes REINFORCE with gradients through the dynamics, with an entropy bonus
# (Eq. 6):
#
# $$\rho \ln p_\psi(a_t \mid z_t)\,\mathrm{sg}(V^\lambda_t - v_\xi(z_t)) + (1 - \rho) V^\lambda_t
# + \eta\,\mathrm{H}[a_t \mid z_t]$$
#
# This notebook draws figures from the results that come with the repository; nothing is trained. With
# `RUN = True` it also trains DreamerV2 on a task with a known optimum, which takes a minute.

# %%
# ruff: noqa: D100
import os

import jax
import jax.numpy as jnp

from imaginax import distributions
from imaginax.distributions import Categorical
from imaginax.runtime.gallery import Gallery

RUN = False
RUN = RUN or os.environ.get("IMAGINAX_NOTEBOOK_RUN") == "1"
gallery = Gallery()

# %% [markdown]
# ## Straight-through gradients
#
# A draw of a choice is a one-hot vector; backwards it counts as the vector of probabilities (Algorithm 1).
# Without that nothing in front of a draw would learn.

# %%
logits, key = jnp.array([[0.5, -1.0, 2.0]]), jax.random.key(0)
draw = jax.jacobian(lambda logits: distributions.sample(Categorical(logits), key))(logits)[:, 0]
soft = jax.jacobian(lambda logits: jax.nn.softmax(logits).ravel())(logits)[:, 0]
print(f"derivative of a draw less that of its probabilities: {float(jnp.abs(draw - soft).max()):.1e}")

# %% [markdown]
# ## Games
#
# MinAtar, preset `laptop`, five seeds, beside what a public implementation reports for another size.

# %%
gallery.figure("dreamerv2_minatar.py", "dreamerv2/minatar_breakout.json")

# %% [markdown]
# ## What it needs
#
# The paper's ablations on Breakout of MinAtar: normal latents, no balancing, no gradients of images, none of
# rewards.

# %%
gallery.figure("dreamerv2_ablation.py", "dreamerv2/ablation.json")

# %% [markdown]
# ## Imagined against real
#
# The beginning of a game is seen, the rest is imagined from the actions alone.

# %%
gallery.picture("docs/dreamerv2_dream.gif", "imaginax dream runs/...")

# %% [markdown]
# ## Training it here
#
# A walk along eight places, preset `tiny`: the far exit pays 0.88 in all, the near one 0.16.

# %%
if RUN:
    from imaginax.runtime.run import train
    from imaginax.systems import dreamerv2
    from imaginax.systems.presets import dreamerv2 as presets

    summary = train(dreamerv2.make(presets.TINY), logdir=gallery.scratch / "run")
    print(f"return: {summary['eval_return']:.2f}")
    gallery.show(gallery.scratch / "run" / "figures" / "return.png", width=600)
else:
    print("RUN is False: nothing was trained here")

# %%
gallery.close()
