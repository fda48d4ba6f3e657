"""Planners over any world model."""
