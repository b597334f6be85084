"""Funnels: who comes, how far people go step by step, and comparisons declared beforehand."""
