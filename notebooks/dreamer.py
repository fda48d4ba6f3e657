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
# # Dreamer
#
# [Hafner et al. 2020](https://arxiv.org/abs/1912.01603) learn a latent model of a task from images, as PlaNet
# does, and then an actor and a value function from sequences that the model imagines.
# [docs/dreamer.md](../docs/dreamer.md) maps the paper to the code.
#
# From every state $s_\tau$ that the model inferred, the actor $q_\phi$ acts in imagination for $H$ steps.
# With $\lambda$-returns
#
# $$V_\lambda(s_\tau) = r_\tau
# + \gamma\left((1 - \lambda)\, v_\psi(s_{\tau+1}) + \lambda V_\lambda(s_{\tau+1})\right)$$
#
# (Eq. 6) the actor maximises $\mathrm{E}\sum_\tau V_\lambda(s_\tau)$ (Eq. 7), through rewards, values and
# dynamics, and the value minimises $\frac{1}{2}\lVert v_\psi(s_\tau) - V_\lambda(s_\tau)\rVert^2$ (Eq. 8).
#
# This notebook draws figures from the results that come with the repository; nothing is trained. With
# `RUN = True` it also trains Dreamer on a task with a known optimum, which takes a minute.

# %%
# ruff: noqa: D100
import os

import jax
import jax.numpy as jnp

from imaginax import envs
from imaginax.models.imagination import imagine
from imaginax.models.latent.model import latent_model
from imaginax.models.latent.rssm import features
from imaginax.objectives.returns import lambda_returns
from imaginax.policies.actor import make_actor
from imaginax.runtime.gallery import Gallery
from imaginax.systems.presets import dreamer as presets

RUN = False
RUN = RUN or os.environ.get("IMAGINAX_NOTEBOOK_RUN") == "1"
gallery = Gallery()

# %% [markdown]
# ## The model and the actor
#
# An imagined sequence is one call: `imagine(model, params, beliefs, policy, horizon, key)`. Here an untrained
# model of a task of the size of a toy imagines ten steps from 64 beliefs.

# %%
config = presets.TINY
spec = envs.make("diagnostic_lqr").spec
model = latent_model(spec, config.model, config.objective)
actor = make_actor(spec, config.actor, features, config.model.rssm.features)
key = jax.random.key(0)
params, actor_params = model.init(key), actor.init(key)
beliefs = model.encode(params, jnp.zeros((64, 2)), key)
imagined = imagine(model, params, beliefs, lambda belief: actor.act(actor_params, belief), 10, key)
rewards = imagined.prediction.reward
returns = lambda_returns(rewards, 0.99 * jnp.ones_like(rewards), jnp.zeros_like(rewards), decay=0.95)
print(f"actions {imagined.actions.shape}, rewards {rewards.shape}, returns {returns.shape}: [H B ...]")

# %% [markdown]
# ## Return against steps
#
# Tasks of the control suite from images, preset `laptop`, beside the means that the authors' score files hold
# for their full sizes.

# %%
gallery.figure("dreamer_returns.py", "dreamer/cartpole_swingup.json")

# %% [markdown]
# ## The horizon
#
# Fig. 4: with a value function the number of imagined steps matters little; without it the actor sees no
# further than they reach.

# %%
gallery.figure("dreamer_horizon.py", "dreamer/horizon.json")

# %% [markdown]
# ## What beliefs learn from
#
# Fig. 8: reconstruction, contrast, or rewards alone.

# %%
gallery.figure("dreamer_objectives.py", "dreamer/objectives.json")

# %% [markdown]
# ## Imagined against real
#
# Five images are seen, the rest is imagined from the actions alone.

# %%
gallery.picture("docs/dreamer_dream.gif", "imaginax dream runs/...")

# %% [markdown]
# ## Training it here
#
# One decision about what is seen, preset `tiny`. The best return is 1, doing nothing gets 0.92 on average.

# %%
if RUN:
    from imaginax.runtime.run import train
    from imaginax.systems import dreamer

    summary = train(dreamer.make(config), logdir=gallery.scratch / "run")
    print(f"return: {summary['eval_return']:.2f}")
    gallery.show(gallery.scratch / "run" / "figures" / "return.png", width=600)
else:
    print("RUN is False: nothing was trained here")

# %%
gallery.close()
