"""Firewalls: one file per kind. What blocks addresses in the kernel."""
