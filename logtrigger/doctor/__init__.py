"""`logtrigger doctor`: whether everything between a log line and a ban works, and what to do where it does not."""
