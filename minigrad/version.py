"""The version, also read by the build; and what was built, under PyTorch's names."""

__version__ = "0.1.0"

cuda = hip = xpu = None
git_version = "unknown"
debug = False
