"""The gRPC API: parse, call a service, convert. Decides nothing."""
