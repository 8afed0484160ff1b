"""Generated from `proto/hermesd/v1`; do not edit. See `proto/README.md`."""
