"""What the two doors share: exit codes, signals, log and progress."""
