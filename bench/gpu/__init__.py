"""The GPU measured: our kernels beside PyTorch's, CuPy's and what the chip can do (`bench/gpu.sh`).

`run` starts `worker`, a process that makes the cases of `groups` for every library (`libraries`),
compares their answers and times them (`clock`); `limits` are measured in the same process, `aims`
are what the figures are held to, `report` writes the table and the plots.
"""
