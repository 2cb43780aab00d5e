"""The compiled kernels for CUDA devices (`_cuda_emu` is the same, emulated; for tests).

Results come first, then inputs, then numbers; `stream` is always the last. An array is CuPy's, or a
pair (array, dtype) where uint16 stands for bfloat16. Operations and kinds are numbered as in
`minigrad/kernels/fast.py` and `reduction.py`.
"""

from __future__ import annotations

from typing import Any

def status() -> tuple[int, str]: ...

# cast
def cast(out: Any, src: Any, stream: int, /) -> None: ...

# elementwise: any strides; operands broadcast to `out`, all of its dtype; x, y, a, b may be numbers
def unary(out: Any, x: Any, op: int, numbers: tuple[float, ...], stream: int, /) -> None: ...
def binary(
    out: Any, x: Any, y: Any, op: int, numbers: tuple[float, ...], stream: int, /
) -> None: ...
def compare(out: Any, x: Any, y: Any, op: int, stream: int, /) -> None: ...  # out: bool
def where(out: Any, mask: Any, x: Any, y: Any, stream: int, /) -> None: ...  # any dtype, no numbers
def ternary(out: Any, x: Any, a: Any, b: Any, op: int, number: float, stream: int, /) -> None: ...
def copy(out: Any, x: Any, stream: int, /) -> None: ...  # any dtype; it converts nothing
def fill(out: Any, value: float, stream: int, /) -> None: ...

# reduce: x of any strides; out dense; kinds as in reduction.KINDS, then argmax and argmin, whose
# indices go to `second`, as var's and std's means do
def reduce(
    out: Any,
    second: Any,
    x: Any,
    work: Any,
    kind: int,
    axes: tuple[int, ...],
    number: float,
    stream: int,
    /,
) -> None: ...
def reduce_workspace(x: Any, kind: int, axes: tuple[int, ...], /) -> int: ...

# optim: as the CPU's; lr may be a float32 array of one element, steps are numbers (increased by the
# caller) or float32 arrays (increased by the kernel); copies: 16-bit arrays that get the new
# parameters; scale, found: float32 arrays of one element, the factor of the gradients and whether
# there was an infinity, in which case nothing is changed. Each of the three may be None.
def sgd_step(
    params: list,
    grads: list,
    momentum_buffers: list | None,
    lr: Any,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
    first: bool,
    copies: list | None,
    scale: Any,
    found: Any,
    stream: int,
    /,
) -> None: ...
def adam_step(
    params: list,
    grads: list,
    exp_avgs: list,
    exp_avg_sqs: list,
    max_exp_avg_sqs: list | None,
    steps: list,
    lr: Any,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
    copies: list | None,
    scale: Any,
    found: Any,
    stream: int,
    /,
) -> None: ...
def rmsprop_step(
    params: list,
    grads: list,
    square_avgs: list,
    momentum_buffers: list | None,
    grad_avgs: list | None,
    steps: list,
    lr: Any,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    maximize: bool,
    copies: list | None,
    scale: Any,
    found: Any,
    stream: int,
    /,
) -> None: ...
def adagrad_step(
    params: list,
    grads: list,
    sums: list,
    steps: list,
    lr: Any,
    lr_decay: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
    copies: list | None,
    scale: Any,
    found: Any,
    stream: int,
    /,
) -> None: ...
def lerp_tensors(params: list, ends: list, weight: float, stream: int, /) -> None: ...
def scale_tensors(  # times factor and scale; found becomes 1 where one is not finite
    params: list, factor: float, scale: Any, found: Any, stream: int, /
) -> None: ...
def tensor_norms(out: Any, arrays: list, work: Any, order: int, stream: int, /) -> None: ...
def tensor_norms_workspace(arrays: list, /) -> int: ...

# softmax: contiguous arrays of one dtype
def softmax(out: Any, x: Any, axis: int, stream: int, /) -> None: ...
def log_softmax(out: Any, x: Any, axis: int, stream: int, /) -> None: ...
def softmax_backward(out: Any, grad: Any, y: Any, axis: int, stream: int, /) -> None: ...
def log_softmax_backward(out: Any, grad: Any, y: Any, axis: int, stream: int, /) -> None: ...

# loss: x (N, C, ...), target (N, ...) int64; lse and denominator in float32 (float64 for float64);
# a class out of range gives NaN
def cross_entropy(
    loss: Any,
    lse: Any,
    denominator: Any,
    x: Any,
    target: Any,
    weight: Any,
    work: Any,
    ignored: int,
    reduction: str,
    smoothing: float,
    stream: int,
    /,
) -> None: ...
def cross_entropy_workspace(x: Any, target: Any, weight: Any, /) -> int: ...
def cross_entropy_backward(
    out: Any,
    grad: Any,
    x: Any,
    target: Any,
    weight: Any,
    lse: Any,
    denominator: Any,
    ignored: int,
    reduction: str,
    smoothing: float,
    stream: int,
    /,
) -> None: ...

# norm: contiguous arrays; statistics, dw and db in float32 (float64 for float64), w and b in that
# type or in x's; work has norm_workspace(n, c, length) bytes for sums over n and length of c
# parameters: layer_norm and rms_norm (rows, n, 1), the others (N, C, positions)
def norm_workspace(n: int, c: int, length: int, /) -> int: ...
def layer_norm(
    y: Any, mean: Any, rstd: Any, x: Any, w: Any, b: Any, n: int, eps: float, stream: int, /
) -> None: ...
def layer_norm_backward(
    dx: Any,
    dw: Any,
    db: Any,
    grad: Any,
    x: Any,
    mean: Any,
    rstd: Any,
    w: Any,
    work: Any,
    stream: int,
    /,
) -> None: ...
def rms_norm(y: Any, rstd: Any, x: Any, w: Any, n: int, eps: float, stream: int, /) -> None: ...
def rms_norm_backward(
    dx: Any, dw: Any, grad: Any, x: Any, rstd: Any, w: Any, work: Any, stream: int, /
) -> None: ...
def group_norm(
    y: Any, mean: Any, rstd: Any, x: Any, w: Any, b: Any, groups: int, eps: float, stream: int, /
) -> None: ...
def group_norm_backward(
    dx: Any,
    dw: Any,
    db: Any,
    grad: Any,
    x: Any,
    mean: Any,
    rstd: Any,
    w: Any,
    work: Any,
    groups: int,
    stream: int,
    /,
) -> None: ...
def batch_norm(  # work may be None in evaluation
    y: Any,
    mean: Any,
    rstd: Any,
    running_mean: Any,
    running_var: Any,
    x: Any,
    w: Any,
    b: Any,
    work: Any,
    training: bool,
    momentum: float,
    eps: float,
    stream: int,
    /,
) -> None: ...
def batch_norm_backward(  # dx may be None
    dx: Any,
    dw: Any,
    db: Any,
    grad: Any,
    x: Any,
    w: Any,
    mean: Any,
    rstd: Any,
    work: Any,
    training: bool,
    stream: int,
    /,
) -> None: ...

# dropout: the CPU's masks; offset may be an int64 array of one element
def philox_mask(out: Any, seed: int, offset: Any, keep: float, stream: int, /) -> None: ...
def philox_dropout(
    out: Any,
    x: Any,
    seed: int,
    offset: Any,
    keep: float,
    scale: float,
    kept: float,
    dropped: float,
    stream: int,
    /,
) -> None: ...

# index: tables of any strides, index int64 (with `wrap` negative numbers count from the end); bad:
# None or an int32 array of one element, which becomes 1 where a number is out of range
def take(
    out: Any, table: Any, index: Any, dim: int, wrap: bool, bad: Any, stream: int, /
) -> None: ...
def gather(
    out: Any, table: Any, index: Any, dim: int, wrap: bool, bad: Any, stream: int, /
) -> None: ...
def put_rows(  # table[:, index] = values, or += (float32, float64; not in a fixed order)
    table: Any, values: Any, index: Any, dim: int, wrap: bool, bad: Any, add: bool, stream: int, /
) -> None: ...
def scatter(
    table: Any, values: Any, index: Any, dim: int, wrap: bool, bad: Any, add: bool, stream: int, /
) -> None: ...
def add_sorted_rows(  # in a fixed order: order sorts index stably; rows of number skip are left out
    table: Any, rows: Any, index: Any, order: Any, skip: int, bad: Any, stream: int, /
) -> None: ...

# pool: contiguous (N, C, H, W); sizes are kernel, stride, padding and (of maxima) dilation, each
# twice; index int32
def max_pool2d(out: Any, index: Any, x: Any, /, *sizes_and_stream: int) -> None: ...
def max_pool2d_backward(  # kernels of 0: of adaptive_max_pool2d
    out: Any, grad: Any, index: Any, /, *sizes_and_stream: int
) -> None: ...
def avg_pool2d(  # sizes, pad, divisor, stream
    out: Any, x: Any, /, *sizes_and_stream: int
) -> None: ...
def avg_pool2d_backward(out: Any, grad: Any, /, *sizes_and_stream: int) -> None: ...
def adaptive_avg_pool2d(out: Any, x: Any, stream: int, /) -> None: ...
def adaptive_avg_pool2d_backward(out: Any, grad: Any, stream: int, /) -> None: ...
def adaptive_max_pool2d(out: Any, index: Any, x: Any, stream: int, /) -> None: ...

# loss pairs: x and t of one dtype and shape, op as in LOSSES of minigrad/kernels/loss.py; outside
# of a loss's domain is NaN; out and grad have one element unless the reduction is "none"
def pair_loss(
    out: Any,
    x: Any,
    t: Any,
    work: Any,
    op: int,
    reduction: str,
    number: float,
    stream: int,
    /,
) -> None: ...
def pair_loss_workspace(n: int, /) -> int: ...
def pair_loss_backward(
    out: Any,
    grad: Any,
    x: Any,
    t: Any,
    op: int,
    reduction: str,
    number: float,
    target: bool,
    stream: int,
    /,
) -> None: ...

# gemm: out (..., m, n) = alpha a (..., m, k) b (..., k, n) + beta out + bias (n,), cut at 0 if
# `relu`; any strides but out's rows are contiguous; work: None or bytes, as gemm_workspace says
def gemm(
    out: Any,
    a: Any,
    b: Any,
    alpha: float,
    beta: float,
    bias: Any,
    relu: bool,
    tf32: bool,
    work: Any,
    stream: int,
    /,
) -> None: ...
def gemm_workspace(out: Any, a: Any, b: Any, /) -> int: ...

# conv: contiguous (N, C, H, W) or (N, C, D, H, W); then stride, padding and dilation, each twice
# (three times), groups, tf32, work (None or bytes, as parts_workspace says), stream
def conv2d(out: Any, x: Any, w: Any, bias: Any, /, *numbers: Any) -> None: ...
def conv2d_input(out: Any, grad: Any, w: Any, bias: Any, /, *numbers: Any) -> None: ...
def conv2d_weight(out: Any, x: Any, grad: Any, /, *numbers: Any) -> None: ...
def conv3d(out: Any, x: Any, w: Any, bias: Any, /, *numbers: Any) -> None: ...
def conv3d_input(out: Any, grad: Any, w: Any, bias: Any, /, *numbers: Any) -> None: ...
def conv3d_weight(out: Any, x: Any, grad: Any, /, *numbers: Any) -> None: ...
def parts_workspace(results: int, depth: int, itemsize: int, /) -> int: ...

# attention: (..., rows, width) with contiguous rows; stats float32 (2, matrices, queries)
def attention(
    out: Any,
    stats: Any,
    q: Any,
    k: Any,
    v: Any,
    mask: Any,
    causal: bool,
    scale: float,
    stream: int,
    /,
) -> None: ...
def attention_backward(  # the gradients that are None are not computed; work: 4 bytes a query
    dq: Any,
    dk: Any,
    dv: Any,
    grad: Any,
    q: Any,
    k: Any,
    v: Any,
    mask: Any,
    out: Any,
    stats: Any,
    causal: bool,
    scale: float,
    work: Any,
    stream: int,
    /,
) -> None: ...

architectures: str  # what nvcc compiled for; not of the emulation

# of the emulation alone: what it passes for, the order of threads, barriers that do nothing
def set_device(capability: int, multiprocessors: int, /) -> None: ...
def set_order(order: str, /) -> None: ...
def record_barriers(on: bool, /) -> None: ...
def recorded_barriers() -> list[tuple[str, int]]: ...
def remove_barrier(file: str, line: int, /) -> None: ...
