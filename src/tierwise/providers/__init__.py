"""Who serves well, from what customers do: methods, figures and pages."""
