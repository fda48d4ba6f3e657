"""imaginax: model-based reinforcement learning as compiled JAX programs."""

__all__ = ["__version__"]

__version__ = "0.1.0"
