"""oslo.messaging and oslo.config, imported in one place.

Knows how they are imported; nothing of what is done with them.  oslo.service brings eventlet along, which warns of its
own end when it is imported; nothing here uses it, patches with it or runs on it.
"""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    try:
        import oslo_messaging  # type: ignore[import-untyped]
        from oslo_config import cfg
        from oslo_messaging.rpc.server import RPCServer  # type: ignore[import-untyped]
    except ImportError as error:  # pragma: no cover
        raise ImportError(f"{error}: pip install 'dhcpcore[neutron]'") from error

__all__ = ["RPCServer", "cfg", "oslo_messaging"]
