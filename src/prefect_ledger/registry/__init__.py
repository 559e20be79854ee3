"""The registry: models, versions, stages, aliases, who agreed and on what evidence."""
