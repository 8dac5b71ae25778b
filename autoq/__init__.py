"""autoq."""
