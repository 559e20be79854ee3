"""Gates: evidence in, verdicts out."""
