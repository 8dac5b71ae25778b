"""`autoq.finetune`, and what it takes."""
