"""What a member sees of its invitations, and what we see of the programme as a whole."""
