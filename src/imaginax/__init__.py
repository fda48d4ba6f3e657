"""imaginax: model-based reinforcement learning as compiled JAX programs."""

__version__ = "0.1.0"
