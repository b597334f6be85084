"""Segments of customers: who is alike, whether it holds, and what each segment is worth."""
