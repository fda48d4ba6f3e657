"""What `import imaginax` offers: training systems, loading agents, letting them act. See docs/PYTHON.md."""
