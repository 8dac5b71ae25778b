"""The search: a space, trials, and the front that they make. The only package that imports Optuna."""
