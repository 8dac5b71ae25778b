"""The weights of a model that may be stored in few bits."""

from autoq.graph.weights._scalable import Scalable, scalable_weights
from autoq.graph.weights._weights import Weight, Weights, find_weights, stored_constant

__all__ = ["Scalable", "Weight", "Weights", "find_weights", "scalable_weights", "stored_constant"]
