"""UDP checksums that are right on the wire.

A virtual device says that it completes checksums itself, so the kernel leaves them unfinished, and they reach a virtual
machine as they are.  Clients that check them (dhclient on raw sockets, Launchpad 1244589) drop such replies.  Neutron
adds an iptables rule (CHECKSUM --checksum-fill); with the device's offload switched off the kernel finishes every
checksum in software, and no iptables is needed.  For DHCP's few packets that costs nothing.

ethtool's classic ioctl (linux/ethtool.h), by name, in the namespace of a socket.
"""

from __future__ import annotations

import array
import fcntl
import struct
from typing import Final

_SIOCETHTOOL: Final = 0x8946
_ETHTOOL_GTXCSUM: Final = 0x16
_ETHTOOL_STXCSUM: Final = 0x17


def offloaded(device: str, socket: int) -> bool:
    """Whether the device says that it completes checksums of what it sends.

    Args:
        socket: the descriptor of any socket of the device's namespace.

    Raises:
        OSError: there is no such device, or it cannot tell.
    """
    return _ethtool(device, socket, _ETHTOOL_GTXCSUM, 0) != 0


def complete_in_software(device: str, socket: int) -> bool:
    """Let the kernel complete them; True when that was changed.

    Args:
        socket: as above.

    Raises:
        OSError: there is no such device, or it cannot.
    """
    if not offloaded(device, socket):
        return False
    _ethtool(device, socket, _ETHTOOL_STXCSUM, 0)
    return True


def _ethtool(device: str, socket: int, command: int, value: int) -> int:
    # struct ethtool_value, and struct ifreq with a pointer to it (40 bytes where pointers have eight).
    data = array.array("I", [command, value])
    address, _ = data.buffer_info()
    request = struct.pack("16sP16x", device.encode("ascii"), address)
    fcntl.ioctl(socket, _SIOCETHTOOL, request)
    return data[1]
