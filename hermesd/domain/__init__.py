"""What hermesd knows and decides: values, tables and rules, without clock, I/O or concurrency."""
