"""Multi-step writes, cut off at every step."""
