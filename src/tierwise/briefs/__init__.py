"""One page per account: what it will spend, who decides, who knows them, what the story is."""
