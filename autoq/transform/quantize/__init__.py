"""Models that are quantized by a plan: one rewrite a module."""
