"""Who brings others next, whether asking them helps, and whether the reward pays."""
