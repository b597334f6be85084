"""Whom a treatment changes, where the lot decided who got it: effects, uplift and what it pays."""
