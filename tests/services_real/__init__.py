"""Real servers and clean surroundings for the tests: nothing here stands in for anything."""
