"""What a person's command line meets first: the launcher, which imports almost nothing."""
