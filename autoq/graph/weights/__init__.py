"""The weights of a model that may be stored in few bits."""

from autoq.graph.weights._weights import Weight, Weights, find_weights

__all__ = ["Weight", "Weights", "find_weights"]
