"""Floor 5. Runs and the verbs that log into them."""
