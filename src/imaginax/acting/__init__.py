"""How agents act: planning at every step, self-play, resignation."""
