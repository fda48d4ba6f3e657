"""What fits what: learners and their updates."""
