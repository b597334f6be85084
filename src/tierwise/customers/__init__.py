"""Who is active, and who is loud: points, groups, tone; methods, figures and pages."""
