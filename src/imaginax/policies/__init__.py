"""What maps a belief to an action without planning."""
