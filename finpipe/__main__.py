"""`python -m finpipe` is the same as `finpipe`."""

from finpipe.cli import main

main()
