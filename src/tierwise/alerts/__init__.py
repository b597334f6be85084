"""What just changed at accounts, told to the right person once."""
