"""Programs that developers run: they write or check what is generated."""
