"""The whole of it on one machine, in half a minute: server, agent, dnsmasq, and DHCP clients that check every answer.

Run it as `make demo`, or ``python -m demo`` with ``examples`` on the path.  docs/demo.md is the manual.
"""
