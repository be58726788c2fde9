"""``python -m services.cli``: the same door where the console script is not on the path."""

from services.cli.main import main

main()
