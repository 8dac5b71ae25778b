"""What a search found: candidates, result, run folder."""
