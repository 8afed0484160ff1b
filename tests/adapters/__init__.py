"""What adapters do beyond their contracts."""
