"""The `autoq` command."""
