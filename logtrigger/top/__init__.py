"""`logtrigger top`: the running daemon on one screen."""
