"""A DHCP driver for Neutron's own agent: ``dhcp_driver = dhcpcore_adapters.neutron_driver.Dnsmasq``.

The agent around it stays Neutron's: messages, the DHCP port, devices, the metadata proxy and who has root.  What is
written, and whether dnsmasq is started, reloaded or left alone, is decided by dhcpcore.  Neutron is imported here and
nowhere else, from the environment that the agent runs in (tried with 29.0.0).
"""

from __future__ import annotations

from dhcpcore_adapters.neutron_driver.driver import Dnsmasq

__all__ = ["Dnsmasq"]
