"""Files for received lines, one for each host and program or whatever else a template names."""

from logtrigger.logfiles.names import Template
from logtrigger.logfiles.writer import LogFiles

__all__ = ["LogFiles", "Template"]
