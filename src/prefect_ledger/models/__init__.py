"""Floor 4. Models as folders in the MLmodel format: saved, described, opened and asked. Nothing here knows of runs or stores."""
