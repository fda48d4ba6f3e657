"""What trains, saves, evaluates and shows any system."""
