"""`python -m logtrigger`."""

from logtrigger.cli import main

main()
