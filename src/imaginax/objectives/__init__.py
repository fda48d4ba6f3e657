"""Pure losses and targets."""
