"""Run the command line: ``python -m service`` is the same as ``tensorseed``."""

from service.cli import main

main()
