"""`python -m autoq` is the command `autoq`."""

from autoq.cli import main

main()
