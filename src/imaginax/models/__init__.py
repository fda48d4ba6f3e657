"""World models, true and learned, as batched functions."""
