"""A game of Go on the host, between a client and an engine."""
