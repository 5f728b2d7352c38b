"""The transport to a Neutron server: oslo.messaging, over RabbitMQ or whatever ``transport_url`` names.

Neutron itself is not needed.  Needs the extra ``neutron`` (oslo.messaging, oslo.config), which is imported by
`transport`, and by nothing else here, so that who does not choose this transport does not pay for it.  What goes over
the wire: docs/transports.md.
"""

from __future__ import annotations

__all__: list[str] = []
