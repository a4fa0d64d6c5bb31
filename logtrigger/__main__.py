"""`python -m logtrigger`."""

from logtrigger.cli import main

main(prog_name="logtrigger")
