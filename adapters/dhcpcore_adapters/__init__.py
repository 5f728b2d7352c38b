"""Thin adapters around dhcpcore: everything that can fail is here, and nothing here decides.

They import the core by its front door only (`dhcpcore`, `dhcpcore.contracts`, `dhcpcore.wire`) and do not know each
other; `dhcpcore_adapters.agent` and `dhcpcore_adapters.cli` wire them.
"""
