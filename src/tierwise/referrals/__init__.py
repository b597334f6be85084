"""Who brought whom and how the programme grows: methods, figures and pages."""
