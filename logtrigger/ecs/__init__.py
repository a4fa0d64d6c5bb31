"""Log lines as documents of the Elastic Common Schema: which event a line is, and what its document holds."""
