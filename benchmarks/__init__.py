"""What the performance table of the README is made with."""
