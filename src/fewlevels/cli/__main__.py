"""`python -m fewlevels.cli`."""

from fewlevels.cli.main import main

main()
