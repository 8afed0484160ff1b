"""Use cases on fakes and a clock that stands still."""
