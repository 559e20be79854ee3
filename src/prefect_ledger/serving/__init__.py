"""Floor 5. Serving: a model over HTTP, in the formats of MLflow's scoring server."""
