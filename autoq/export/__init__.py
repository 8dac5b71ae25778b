"""Saves models."""

from autoq.export._save import check_folder, check_model_path, read_provenance, save_candidate, save_model, write_ir

__all__ = ["check_folder", "check_model_path", "read_provenance", "save_candidate", "save_model", "write_ir"]
