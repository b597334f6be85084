"""One card per provider: what everybody may see of it, and what it and we should know."""
