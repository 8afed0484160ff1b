"""Measurements: printed as ratios, compared with others in one run, never asserted."""
