"""Options of a compiler that is not there. Any attribute may be set."""

from types import SimpleNamespace

triton = SimpleNamespace(cudagraphs=False, unique_kernel_names=False)
cpp = SimpleNamespace()
coordinate_descent_tuning = False
epilogue_fusion = True
max_autotune = False
fx_graph_cache = True
