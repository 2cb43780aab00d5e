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
def fast_unary(cls: type, spec: int, input: Any, numbers: tuple[float, ...] = ..., /) -> Any: ...
def fast_compare(op: int, input: Any, other: Any, /) -> Any: ...
def fast_in_place(op: int, target: Any, other: Any, number: float = 0, /) -> bool: ...
def unary(op: int, x: Any, /, *numbers: float) -> Any: ...
def binary(op: int, x: Any, y: Any, /, *numbers: float) -> Any: ...
def compare(op: int, x: Any, y: Any, /) -> Any: ...
def where(mask: Any, x: Any, y: Any, /) -> Any: ...
def copy(x: Any, /) -> Any: ...
def fast_copy(cls: type, input: Any, only_if_needed: bool, /) -> Any: ...
def fast_fill(target: Any, number: Any, /) -> bool: ...
def fast_assign(target: Any, source: Any, /) -> bool: ...
def nll(
    x: np.ndarray, target: np.ndarray, weight: np.ndarray | None, ignore_index: int, mean: bool, /
) -> tuple[np.ndarray, float] | None: ...
def nll_backward(
    grad: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None,
    ignore_index: int,
    scale: float,
    classes: int,
    /,
) -> np.ndarray: ...
def wrap(array: Any, node: Any = None, /) -> Any: ...
def apply(cls: type, inputs: tuple, /, *args: Any) -> Any: ...
def apply_view(cls: type, input: Any, /, *args: Any) -> Any: ...
def bind_fallbacks(
    apply_in_python: Any, record_several: Any, forget_dead_views: Any, note_trace: Any, /
) -> None: ...
def next_seq() -> int: ...

inference_cell: list

def accumulate(variable: Any, grad: Any, owned: bool, /) -> bool: ...
def add_into(out: np.ndarray, array: np.ndarray, /) -> bool: ...
def sum_arrays(a: np.ndarray, b: np.ndarray, /) -> np.ndarray: ...
def bind_classes(
    variable: type, node: type, leaf: type, pick: type, released: Any, tensor: type, /
) -> None: ...
def bind_engine(
    run_hooks: Any,
    run_node_hooks: Any,
    finish_leaf: Any,
    accumulate_slow: Any,
    raise_released: Any,
    raise_modified: Any,
    /,
) -> None: ...
def run_backward(roots: Any, keep_graph: bool, /) -> None: ...
def set_recording(on: bool, /) -> None: ...
def set_inference(on: bool, /) -> None: ...
def set_anomaly(on: bool, /) -> None: ...

# distance: batches of rows (b, n, d) and (b, m, d)
def row_distances(a: np.ndarray, b: np.ndarray, p: float, /) -> np.ndarray: ...
def row_distances_backward(
    a: np.ndarray, b: np.ndarray, grad: np.ndarray, distance: np.ndarray, p: float, turned: bool, /
) -> np.ndarray: ...
def euclidean_finish(a: np.ndarray, b: np.ndarray, products: np.ndarray, /) -> None: ...
def euclidean_weights(grad: np.ndarray, distance: np.ndarray, /) -> np.ndarray: ...

# factor: batches of small matrices (b, m, n), overwritten
def solve_triangular(
    x: np.ndarray, a: np.ndarray, upper: bool, unit: bool, transposed: bool, /
) -> None: ...
def lu_factor(a: np.ndarray, pivots: np.ndarray, info: np.ndarray, pivot: bool, /) -> None: ...

# sparse: products of elements (rows, columns, values) with dense matrices
def sparse_product(
    rows: np.ndarray, columns: np.ndarray, values: np.ndarray, x: np.ndarray, n: int, /
) -> np.ndarray: ...
def sparse_sampled(
    rows: np.ndarray, columns: np.ndarray, a: np.ndarray, b: np.ndarray, /
) -> np.ndarray: ...

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
def nadam_step(
    params: list,
    grads: list,
    exp_avgs: list,
    exp_avg_sqs: list,
    steps: list,
    mu_products: list,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    momentum_decay: float,
    decoupled: bool,
    maximize: bool,
    /,
) -> bool: ...
def radam_step(
    params: list,
    grads: list,
    exp_avgs: list,
    exp_avg_sqs: list,
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
def adamax_step(
    params: list,
    grads: list,
    exp_avgs: list,
    exp_infs: list,
    steps: list,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
    /,
) -> bool: ...
def adadelta_step(
    params: list,
    grads: list,
    square_avgs: list,
    acc_deltas: list,
    steps: list,
    lr: float,
    rho: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
    /,
) -> bool: ...
def asgd_step(
    params: list,
    grads: list,
    axs: list,
    steps: list,
    etas: list,
    mus: list,
    lr: float,
    lambd: float,
    alpha: float,
    t0: float,
    weight_decay: float,
    maximize: bool,
    /,
) -> bool: ...
def rprop_step(
    params: list,
    grads: list,
    prevs: list,
    step_sizes: list,
    steps: list,
    eta_minus: float,
    eta_plus: float,
    step_min: float,
    step_max: float,
    maximize: bool,
    /,
) -> bool: ...
def adafactor_step(
    params: list,
    grads: list,
    rows: list,
    columns: list,
    steps: list,
    lr: float,
    beta2_decay: float,
    eps1: float,
    eps2: float,
    d: float,
    weight_decay: float,
    maximize: bool,
    /,
) -> bool: ...
def lion_step(
    params: list,
    grads: list,
    exp_avgs: list,
    lr: float,
    beta1: float,
    beta2: float,
    weight_decay: float,
    maximize: bool,
    /,
) -> bool: ...
def lamb_step(
    params: list,
    grads: list,
    exp_avgs: list,
    exp_avg_sqs: list,
    steps: list,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
    /,
) -> bool: ...
def lerp_tensors(params: list, ends: list, weight: float, /) -> bool: ...
def scale_tensors(params: list, factor: float, /) -> bool: ...
def tensor_norms(arrays: list, order: int, /) -> np.ndarray | None: ...

# recurrent layers: None where NumPy has to do it
def recurrent(
    mode: int,
    reverse: bool,
    sizes: np.ndarray,
    x: np.ndarray,
    h0: np.ndarray | None,
    c0: np.ndarray | None,
    w_ih: np.ndarray,
    w_hh: np.ndarray,
    b_ih: np.ndarray | None,
    b_hh: np.ndarray | None,
    w_hr: np.ndarray | None,
    /,
) -> Any: ...
def recurrent_backward(
    mode: int,
    reverse: bool,
    sizes: np.ndarray,
    grads: tuple,
    x: np.ndarray,
    h0: np.ndarray | None,
    c0: np.ndarray | None,
    w_ih: np.ndarray,
    w_hh: np.ndarray,
    w_hr: np.ndarray | None,
    out: np.ndarray,
    gates: np.ndarray | None,
    cells: np.ndarray | None,
    inner: np.ndarray | None,
    want: tuple[bool, ...],
    /,
) -> Any: ...

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
def reduce(cls: Any, spec: int, input: Any, dim: Any, keepdim: bool, number: float, /) -> Any: ...
def var_mean(
    x: np.ndarray, axes: tuple[int, ...], keepdims: bool, correction: float, root: bool, /
) -> Any: ...
def arg_extremum(smallest: bool, input: Any, dim: Any, keepdim: bool, /) -> Any: ...
def extremum(cls: Any, smallest: bool, input: Any, dim: Any, keepdim: bool, /) -> Any: ...
def scan(x: np.ndarray, dim: int, product: bool, reverse: bool, /) -> Any: ...

# sort: None where NumPy has to do it
def sort(cls: Any, input: Any, dim: int, descending: bool, k: int, /) -> Any: ...
def argsort(input: Any, dim: int, descending: bool, /) -> Any: ...
def select(cls: Any, input: Any, dim: Any, keepdim: bool, which: int, rank: int, /) -> Any: ...
def search(sequence: Any, input: Any, right: bool, int32: bool, /) -> Any: ...

# conv: the integers are stride, padding and dilation ([depth,] height, width), and groups
def conv2d(
    out: np.ndarray, x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, /, *steps: int
) -> None: ...
def conv2d_input(
    out: np.ndarray, g: np.ndarray, w: np.ndarray, bias: np.ndarray | None, /, *steps: int
) -> None: ...
def conv2d_weight(out: np.ndarray, x: np.ndarray, g: np.ndarray, /, *steps: int) -> None: ...
def conv3d(
    out: np.ndarray, x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, /, *steps: int
) -> None: ...
def conv3d_input(
    out: np.ndarray, g: np.ndarray, w: np.ndarray, bias: np.ndarray | None, /, *steps: int
) -> None: ...
def conv3d_weight(out: np.ndarray, x: np.ndarray, g: np.ndarray, /, *steps: int) -> None: ...

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

# resample: x (outer, size, inner), index and weight (taps, count)
def resample(
    out: np.ndarray, x: np.ndarray, index: np.ndarray, weight: np.ndarray | None, /
) -> None: ...

# random: `state` is MT19937's, uint32 (625,)
def mt_seed(state: np.ndarray, seed: int, /) -> None: ...
def draw32(state: np.ndarray, out: np.ndarray, /) -> None: ...
def draw64(state: np.ndarray, out: np.ndarray, /) -> None: ...
def uniform32(state: np.ndarray, out: np.ndarray, /) -> None: ...
def uniform64(state: np.ndarray, out: np.ndarray, /) -> None: ...
def normal_blocks(data: np.ndarray, /) -> None: ...
def shuffle(state: np.ndarray, out: np.ndarray, /) -> None: ...

# samplers: arrays are float64 of one size; `spare` says whether a normal is kept, and which
def sample_gamma(
    state: np.ndarray, spare: np.ndarray, concentration: np.ndarray, out: np.ndarray, /
) -> None: ...
def sample_poisson(state: np.ndarray, rate: np.ndarray, out: np.ndarray, /) -> None: ...
def sample_binomial(
    state: np.ndarray, count: np.ndarray, prob: np.ndarray, out: np.ndarray, /
) -> None: ...
def gamma_slope(concentration: np.ndarray, x: np.ndarray, out: np.ndarray, /) -> None: ...
def beta_slope(x: np.ndarray, a: np.ndarray, b: np.ndarray, out: np.ndarray, /) -> None: ...

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

# views of tensors, recorded; None for what is left to Python
def fast_expand(cls: type, input: Any, sizes: tuple, /) -> Any: ...
def fast_flatten(cls: type, input: Any, start_dim: Any, end_dim: Any, /) -> Any: ...
def fast_index(
    select: type, slice: type, unsqueeze: type, alias: type, input: Any, index: Any, /
) -> Any: ...
def fast_narrow(cls: type, input: Any, dim: Any, start: Any, length: Any, /) -> Any: ...
def fast_permute(cls: type, input: Any, dims: tuple, /) -> Any: ...
def fast_select(cls: type, input: Any, dim: Any, index: Any, /) -> Any: ...
def fast_split(cls: type, each: type, input: Any, size: Any, dim: Any, /) -> Any: ...
def fast_squeeze(cls: type, input: Any, dim: Any, /) -> Any: ...
def fast_transpose(cls: type, input: Any, dim0: Any, dim1: Any, /) -> Any: ...
def fast_unbind(cls: type, each: type, input: Any, dim: Any, /) -> Any: ...
def fast_unsqueeze(cls: type, input: Any, dim: Any, /) -> Any: ...
def fast_view(cls: type, input: Any, sizes: tuple, /) -> Any: ...

# conversions
def convert(x: np.ndarray, dtype: np.dtype, /) -> np.ndarray | None: ...
def fast_to(cls: type, input: Any, dtype: Any, /) -> Any: ...

# movement: copies of C-contiguous arrays; None where NumPy has to do it
def flip(x: np.ndarray, dims: tuple[int, ...], /) -> np.ndarray | None: ...
def roll(x: np.ndarray, shifts: tuple[int, ...], dims: tuple[int, ...], /) -> np.ndarray | None: ...
def repeat(x: np.ndarray, times: tuple[int, ...], /) -> np.ndarray | None: ...
def repeat_each(x: np.ndarray, times: int, dim: int, /) -> np.ndarray | None: ...
def repeat_each_backward(
    grad: np.ndarray, shape: tuple[int, ...], times: int, dim: int, /
) -> np.ndarray | None: ...
def pad(
    x: np.ndarray, widths: tuple[int, ...], mode: int, value: np.ndarray, /
) -> np.ndarray | None: ...
def pad_backward(
    grad: np.ndarray, shape: tuple[int, ...], widths: tuple[int, ...], mode: int, /
) -> np.ndarray | None: ...
def triangle(x: np.ndarray, diagonal: int, upper: bool, /) -> np.ndarray | None: ...

# index: None where NumPy has to do it; fast_* record
def take(x: np.ndarray, dim: int, index: np.ndarray, wrap: bool, /) -> np.ndarray | None: ...
def gather(x: np.ndarray, dim: int, index: np.ndarray, /) -> np.ndarray | None: ...
def put(
    x: np.ndarray | tuple[int, ...],
    dim: int,
    index: np.ndarray,
    values: np.ndarray,
    along: bool,
    wrap: bool,
    add: bool,
    skip: int = -1,
    /,
) -> np.ndarray | None: ...
def write_rows(x: np.ndarray, dim: int, index: np.ndarray, values: np.ndarray, /) -> bool: ...
def join(arrays: tuple[np.ndarray, ...], dim: int, stack: bool, /) -> np.ndarray | None: ...
def fast_take(cls: type, input: Any, dim: int, index: Any, wrap: bool, /) -> Any: ...
def fast_gather(cls: type, input: Any, dim: int, index: Any, /) -> Any: ...
def fast_put(
    cls: type, input: Any, values: Any, dim: int, index: Any, along: bool, add: bool, /
) -> Any: ...
def fast_embedding(
    cls: type, weight: Any, ids: Any, padding_idx: int, by_frequency: bool, /
) -> Any: ...
def fast_join(cls: type, tensors: Any, dim: int, stack: bool, /) -> Any: ...

# overrides: classes that have their own idea of an operation
def overrides(args: tuple, kwargs: dict, /) -> bool: ...
def bind_overrides(plain: set, logical: type, apply: Any, apply_view: Any, /) -> None: ...
