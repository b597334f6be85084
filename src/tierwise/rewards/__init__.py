"""Rewards for those who bring friends: what is due, what was decided, what was paid.

due        which rewards have been earned, when they may be paid, which are over the yearly limit
ledger     the file of entries, only ever added to, and the state of every reward
entries    how an entry is made, and what entries come to
commands   `tierwise rewards`
"""
