"""The sensitivity report."""
