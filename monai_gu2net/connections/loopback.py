# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""This machine's own addresses."""

from __future__ import annotations

import ipaddress

__all__ = ["ip_address", "is_loopback"]


def is_loopback(host: str) -> bool:
    """Whether a server at a host is one that only this machine can reach.

    Example:
        >>> [is_loopback(host) for host in ("localhost", "127.0.0.2", "::1", "0.0.0.0", "127.example.org")]
        [True, True, True, False, False]
    """
    address = ip_address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host is given by; None: it is given by a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
