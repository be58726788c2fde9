"""Stubs made from the protos; do not edit."""
