"""Mathematics that the systems share and no book on reinforcement learning would list."""
