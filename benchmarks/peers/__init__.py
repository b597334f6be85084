"""One module per implementation: `python -m peers.NAME FOLDER RESULT` is the whole of a process."""
