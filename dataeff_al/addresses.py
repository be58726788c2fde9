"""Addresses of services: host and port, and whether only this machine reaches them."""

import ipaddress
import re

from dataeff_al.errors import RequestError

_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.%]+)\]|(?P<host>[^\s:/\[\]]+)):(?P<port>[0-9]{1,5})\Z")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def host_of(address: str) -> str:
    """The host of ``host:port`` or ``[host]:port``. Raises RequestError when it has another form."""
    found = _ADDRESS.match(address)
    if found is None or not 0 < int(found["port"]) < 65536:
        raise RequestError(f"an address must have the form host:port, but got {address[:80]!r}.")
    return found["six"] or found["host"]
