"""Planners that sample action sequences."""
