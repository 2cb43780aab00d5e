"""Compute kernels: the only place that imports the compiled modules."""
