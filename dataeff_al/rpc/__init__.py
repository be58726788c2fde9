"""The wire: generated stubs, the client, and the conversion between messages and the project's own values."""

from dataeff_al.rpc.client import Client

__all__ = ["Client"]
