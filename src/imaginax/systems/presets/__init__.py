"""Settings of the systems: fields, presets and what the command line knows, one file a system."""
