"""The rules of the house, as tables that `tests/test_architecture.py` holds the sources against."""
