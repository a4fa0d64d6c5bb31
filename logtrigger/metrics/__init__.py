"""Figures about the running daemon, in the form that Prometheus reads."""

METERED = 16  # one chunk in so many is looked at with a clock, which tells what each rule costs
