"""What the history browser costs; see __main__."""
