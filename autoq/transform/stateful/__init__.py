"""Turns a decoder that reads whole sequences into one that keeps what it has read."""

from autoq.transform.stateful._stateful import make_stateful

__all__ = ["make_stateful"]
