"""Experience: replay on the device."""
