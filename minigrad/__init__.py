"""minigrad: a small, fast deep-learning trainer with PyTorch's names, over NumPy arrays."""

from .config import show_config
from .version import __version__

__all__ = ["__version__", "show_config"]
