"""Models learn: the trainable twin of an `ov.Model` in PyTorch, and tuning by distillation. Needs the extra `torch`."""
