"""Scores, times and profiles of one model."""
