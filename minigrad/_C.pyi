"""Names and types of the compiled module; tests/test_stubs.py holds the two in step.

Kernels (the functions with positional-only arguments) write into `out` and return None.
"""

from typing import Any

import numpy as np

# runtime
cuda_status: str

def isa() -> str: ...
def available_isas() -> list[str]: ...
def set_isa(name: str) -> None: ...
def get_num_threads() -> int: ...
def set_num_threads(count: int) -> None: ...
def default_num_threads() -> int: ...
def get_flush_denormal() -> bool: ...
def set_flush_denormal(on: bool) -> None: ...
def _test_parallel_for(n: int, grain: int, nested: bool) -> list[int]: ...
def _test_denormals(chunks: int) -> list[float]: ...

# memory
def empty(shape: tuple[int, ...], dtype: Any, /) -> np.ndarray: ...
def empty_like(array: np.ndarray, /) -> np.ndarray: ...
def empty_cache() -> None: ...
def pool_stats() -> dict[str, int]: ...
def reset_pool_peak() -> None: ...
def set_pool_limit(bytes: int) -> None: ...

# gemm
def gemm(
    out: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    alpha: float,
    beta: float,
    bias: np.ndarray | None,
    relu: bool,
    /,
) -> None: ...
def matmul(a: np.ndarray, b: np.ndarray, /) -> np.ndarray | None: ...
def linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, /) -> np.ndarray | None: ...

# cast
def cast(out: np.ndarray, src: np.ndarray, /) -> None: ...

# recording
def fast_binary(cls: type, spec: int, input: Any, other: Any, /) -> Any: ...
def fast_matmul(cls: type, input: Any, other: Any, /) -> Any: ...
def fast_linear(cls: type, input: Any, weight: Any, bias: Any, /) -> Any: ...
def fast_unary(cls: type, spec: int, input: Any, /) -> Any: ...
def fast_compare(op: int, input: Any, other: Any, /) -> Any: ...
def fast_in_place(op: int, target: Any, other: Any, number: float = 0, /) -> bool: ...
def unary(op: int, x: Any, /, *numbers: float) -> Any: ...
def binary(op: int, x: Any, y: Any, /, *numbers: float) -> Any: ...
def compare(op: int, x: Any, y: Any, /) -> Any: ...
def where(mask: Any, x: Any, y: Any, /) -> Any: ...
def copy(x: Any, /) -> Any: ...
def wrap(array: Any, node: Any = None, /) -> Any: ...
def apply(cls: type, inputs: tuple, /, *args: Any) -> Any: ...
def apply_view(cls: type, input: Any, /, *args: Any) -> Any: ...
def bind_fallbacks(
    apply_in_python: Any, record_several: Any, forget_dead_views: Any, note_trace: Any
) -> None: ...
def next_seq() -> int: ...

inference_cell: list

def accumulate(variable: Any, grad: Any, owned: bool, /) -> bool: ...
def add_into(out: np.ndarray, array: np.ndarray, /) -> bool: ...
def sum_arrays(a: np.ndarray, b: np.ndarray, /) -> np.ndarray: ...
def bind_classes(
    variable: type, node: type, leaf: type, pick: type, released: Any, tensor: type
) -> None: ...
def bind_engine(
    run_hooks: Any,
    run_node_hooks: Any,
    finish_leaf: Any,
    accumulate_slow: Any,
    raise_released: Any,
    raise_modified: Any,
) -> None: ...
def run_backward(roots: Any, keep_graph: bool, /) -> None: ...
def set_recording(on: bool) -> None: ...
def set_inference(on: bool) -> None: ...
def set_anomaly(on: bool) -> None: ...

# optim: lists of arrays, updated in place; False, nothing done, for layouts that it does not take
def sgd_step(
    params: list,
    grads: list,
    momentum_buffers: list | None,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
    first: bool,
    /,
) -> bool: ...
def adam_step(
    params: list,
    grads: list,
    exp_avgs: list,
    exp_avg_sqs: list,
    max_exp_avg_sqs: list | None,
    steps: list,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
    /,
) -> bool: ...
def rmsprop_step(
    params: list,
    grads: list,
    square_avgs: list,
    momentum_buffers: list | None,
    grad_avgs: list | None,
    steps: list,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    maximize: bool,
    /,
) -> bool: ...
def adagrad_step(
    params: list,
    grads: list,
    sums: list,
    steps: list,
    lr: float,
    lr_decay: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
    /,
) -> bool: ...

# attention: None where NumPy has to do it
def attention(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    mask: np.ndarray | None,
    causal: bool,
    scale: float,
    /,
) -> Any: ...
def attention_backward(
    grad: np.ndarray,
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    mask: np.ndarray | None,
    out: np.ndarray,
    stats: np.ndarray,
    causal: bool,
    scale: float,
    want: tuple[bool, ...],
    /,
) -> Any: ...

# softmax: None where NumPy has to do it
def softmax(x: np.ndarray, axis: int, /) -> Any: ...
def log_softmax(x: np.ndarray, axis: int, /) -> Any: ...
def softmax_backward(grad: np.ndarray, y: np.ndarray, axis: int, /) -> Any: ...
def log_softmax_backward(grad: np.ndarray, y: np.ndarray, axis: int, /) -> Any: ...

# loss: None where NumPy has to do it; `weight` may be None; reduction: "none", "sum" or "mean"
def cross_entropy(
    x: np.ndarray,
    target: np.ndarray,
    weight: Any,
    ignored: int,
    reduction: str,
    smoothing: float,
    /,
) -> Any: ...
def cross_entropy_backward(
    grad: np.ndarray,
    x: np.ndarray,
    target: np.ndarray,
    weight: Any,
    lse: np.ndarray,
    denominator: float,
    ignored: int,
    reduction: str,
    smoothing: float,
    /,
) -> Any: ...
def pair_loss(op: int, x: np.ndarray, t: np.ndarray, reduction: str, number: float, /) -> Any: ...
def pair_loss_backward(
    op: int,
    grad: np.ndarray,
    x: np.ndarray,
    t: np.ndarray,
    reduction: str,
    number: float,
    target: bool,
    /,
) -> Any: ...
def fast_pair_loss(cls: type, input: Any, target: Any, terms: tuple, /) -> Any: ...
def fast_cross_entropy(
    cls: type,
    input: Any,
    target: Any,
    weight: Any,
    ignored: int,
    reduction: str,
    smoothing: float,
    /,
) -> Any: ...

# norm: None where Python has to prepare the arguments, or NumPy has to do it
def layer_norm(x: Any, w: Any, b: Any, n: int, eps: float, /) -> Any: ...
def layer_norm_backward(
    grad: Any, x: Any, mean: Any, rstd: Any, w: Any, dims: int, want: tuple, /
) -> Any: ...
def rms_norm(x: Any, w: Any, n: int, eps: float, /) -> Any: ...
def rms_norm_backward(grad: Any, x: Any, rstd: Any, w: Any, dims: int, want: tuple, /) -> Any: ...
def group_norm(x: Any, w: Any, b: Any, groups: int, eps: float, /) -> Any: ...
def group_norm_backward(
    grad: Any, x: Any, mean: Any, rstd: Any, w: Any, groups: int, want: tuple, /
) -> Any: ...
def batch_norm(
    x: Any,
    w: Any,
    b: Any,
    running_mean: Any,
    running_var: Any,
    training: bool,
    momentum: float,
    eps: float,
    /,
) -> Any: ...
def batch_norm_backward(
    grad: Any, x: Any, w: Any, mean: Any, rstd: Any, training: bool, want: tuple, /
) -> Any: ...
def fast_layer_norm(
    cls: type, input: Any, normalized_shape: Any, weight: Any, bias: Any, eps: Any, /
) -> Any: ...
def fast_rms_norm(
    cls: type, input: Any, normalized_shape: Any, weight: Any, eps: Any, /
) -> Any: ...
def fast_group_norm(
    cls: type, input: Any, groups: Any, weight: Any, bias: Any, eps: Any, /
) -> Any: ...
def fast_batch_norm(
    cls: type,
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any,
    bias: Any,
    training: Any,
    momentum: Any,
    eps: Any,
    /,
) -> Any: ...

# reduce: None where NumPy has to do it
def sum(x: np.ndarray, axes: tuple[int, ...], keepdims: bool, /) -> Any: ...

# conv: the integers are stride, padding and dilation (height, width), and groups
def conv2d(
    out: np.ndarray, x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, /, *steps: int
) -> None: ...
def conv2d_input(
    out: np.ndarray, g: np.ndarray, w: np.ndarray, bias: np.ndarray | None, /, *steps: int
) -> None: ...
def conv2d_weight(out: np.ndarray, x: np.ndarray, g: np.ndarray, /, *steps: int) -> None: ...

# pool: the integers are kernel, stride and padding (height, width), then dilation or the divisor
def max_pool2d(
    out: np.ndarray, index: np.ndarray | None, x: np.ndarray, /, *sizes: int
) -> None: ...
def scatter_planes(out: np.ndarray, values: np.ndarray, index: np.ndarray, /) -> None: ...
def avg_pool2d(out: np.ndarray, x: np.ndarray, /, *sizes: int) -> None: ...
def avg_pool2d_backward(out: np.ndarray, g: np.ndarray, /, *sizes: int) -> None: ...
def adaptive_avg_pool2d(out: np.ndarray, x: np.ndarray, /) -> None: ...
def adaptive_avg_pool2d_backward(out: np.ndarray, g: np.ndarray, /) -> None: ...
def adaptive_max_pool2d(out: np.ndarray, index: np.ndarray, x: np.ndarray, /) -> None: ...

# random: `state` is MT19937's, uint32 (625,)
def mt_seed(state: np.ndarray, seed: int, /) -> None: ...
def draw32(state: np.ndarray, out: np.ndarray, /) -> None: ...
def draw64(state: np.ndarray, out: np.ndarray, /) -> None: ...
def uniform32(state: np.ndarray, out: np.ndarray, /) -> None: ...
def uniform64(state: np.ndarray, out: np.ndarray, /) -> None: ...
def normal_blocks(data: np.ndarray, /) -> None: ...
def shuffle(state: np.ndarray, out: np.ndarray, /) -> None: ...

# dropout: masks of the counter-based stream; None where NumPy has to do it
def philox_mask(seed: int, offset: int, n: int, keep: float, /) -> np.ndarray: ...
def philox_dropout(
    x: np.ndarray,
    seed: int,
    offset: int,
    keep: float,
    scale: float,
    kept: float,
    dropped: float,
    /,
) -> Any: ...

# views
def expand(x: np.ndarray, shape: tuple[int, ...], /) -> np.ndarray: ...
