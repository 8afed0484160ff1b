"""What shells know of hermesctl: completion and prompts.

Owns: one script per shell and purpose, what each is answered at a Tab, and where the scripts go. A Tab never
starts the daemon, never waits long and never prints an error. Must not know how commands are carried out.
"""
