"""Floor 5. Sweeps: many runs of a flow or project over a space of parameters, as child runs of one."""
