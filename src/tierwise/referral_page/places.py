"""Where members' pages are kept, and by which ledger of rewards they were made."""

import hashlib
from pathlib import Path

PAGES = "referral_pages.zip"  # a member's values each
SHARED = "referral_pages.json"  # what all of them have in common


def ledger_digest(root: Path, application: str) -> str:
    """Of the ledger of rewards as it is now; "" where there is none."""
    path = root / "data" / "rewards" / application / "ledger.jsonl"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
