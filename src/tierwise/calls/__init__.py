"""Call lists: what each representative gets every hour, as CSV, for Excel and for the phone."""
