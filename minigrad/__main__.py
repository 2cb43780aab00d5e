"""`python -m minigrad script.py`: runs a PyTorch program on minigrad."""

import sys

from .runner.launch import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
