"""`python -m sciflow`, the same as the command `sciflow`."""

from sciflow.cli.main import main

main()
