"""The test suite of hermesd and hermesctl."""
