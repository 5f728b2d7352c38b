"""An agent composed by hand: everything `dhcpcore agent` does that matters, on one screen or two."""
