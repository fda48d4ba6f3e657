"""MuZero's model: representation, dynamics and prediction (Schrittwieser et al. 2020, arXiv 1911.08265)."""
