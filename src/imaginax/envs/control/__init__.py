"""Tasks of the DeepMind control suite (Tassa et al. 2018, arXiv 1801.00690) as JAX programs, on MJX physics.

Observations, rewards, time steps and starts are dm_control's, under names like `control_walker_walk`.
Needs the extra `control`. Their names are in `tasks`; `suite` makes them.
"""
