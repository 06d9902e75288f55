"""``python -m service`` is ``tensorseed``."""

from service.cli import main

main()
