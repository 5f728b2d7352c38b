"""``python -m dhcpcore_adapters.cli`` is the command ``dhcpcore``."""

from __future__ import annotations

import sys

from dhcpcore_adapters.cli import main

if __name__ == "__main__":
    sys.exit(main())
