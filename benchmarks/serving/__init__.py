"""Measuring the service from outside: server and clients are processes of their own."""
