"""Figures about the running daemon, in the form that Prometheus reads."""
