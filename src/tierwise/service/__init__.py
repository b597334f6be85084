"""Scores by HTTP for engineers: `tierwise serve`."""
