"""The systems, one short file a paper; their settings stand in `presets`."""
