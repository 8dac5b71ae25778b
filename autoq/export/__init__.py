"""Models on their way out."""

from autoq.export._save import read_provenance, save_candidate

__all__ = ["read_provenance", "save_candidate"]
