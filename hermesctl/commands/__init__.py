"""The commands, one file per noun, named like the noun. Each asks the daemon and shows what it says."""
