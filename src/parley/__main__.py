"""`python -m parley`."""

import sys

from parley.cli import main

if __name__ == "__main__":  # processes that it starts import this module
    sys.exit(main())
