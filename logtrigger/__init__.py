"""logtrigger: a log line comes in, a rule recognises it, a counter decides, an action runs."""

__version__ = "0.1.0"
