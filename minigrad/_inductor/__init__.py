"""PyTorch's compiler of kernels, as far as programs set its options: they change nothing here."""

from . import config as config
