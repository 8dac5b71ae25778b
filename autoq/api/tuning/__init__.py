"""`autoq.finetune` and `autoq.learn_rounding`, and what they take."""
