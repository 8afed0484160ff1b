"""The soak: one machine on which everything happens for as long as one lets it."""
