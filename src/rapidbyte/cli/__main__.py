"""`python -m rapidbyte.cli`: the same as the command `rapidbyte`."""

from rapidbyte.cli.main import main

main()
