"""Players against each other: matches, Elo ratings, opponents of known strength, real programs, protocols."""
