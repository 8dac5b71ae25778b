"""Experiment files: typed YAML."""
