"""What the weights of a model are multiplied by, seen once over data."""
