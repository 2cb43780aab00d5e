"""Running PyTorch programs: `import torch` finds minigrad, in this process or for one script.

`names` says which module stands for which of PyTorch's, `finder` tells Python's import system,
`launch` runs a script or a module as plain `python` would.
"""

from .finder import install_as_torch as install_as_torch
