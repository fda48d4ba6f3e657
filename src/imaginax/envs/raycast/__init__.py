"""A ray-caster in pure JAX: pictures of any MuJoCo, MJX or brax state inside jit and vmap, on any device.

render = make_renderer(model, height=64, width=64, camera="side")
images = jax.jit(jax.vmap(render))(jax.vmap(pose_of)(data))  # uint8 [N, 64, 64, 3]
"""

from imaginax.envs.raycast.poses import Pose, pose_of, pose_of_brax
from imaginax.envs.raycast.raycast import make_renderer, make_segmenter

__all__ = ["Pose", "make_renderer", "make_segmenter", "pose_of", "pose_of_brax"]
