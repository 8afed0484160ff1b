"""One suite per port, run on its fake and on every adapter, so that fakes cannot lie."""
