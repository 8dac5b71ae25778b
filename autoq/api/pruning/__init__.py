"""Pruning: a model without some of its channels."""
