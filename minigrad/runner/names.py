"""Which of minigrad's modules stands for which of PyTorch's: the exceptions to one rule, as data.

The rule: `torch.a.b` is `minigrad.a.b`, and `torchvision.a` is `minigrad.vision.a`.
"""

from __future__ import annotations

ROOTS = {"torch": "minigrad", "torchvision": "minigrad.vision"}

MODULES: dict[str, str] = {
    "torch._jit_internal": "minigrad.jit",
    "torch._VF": "minigrad",
    "torch._tensor": "minigrad.tensor",
    "torch._utils": "minigrad",
    "torch.amp.autocast_mode": "minigrad.amp",
    "torch.amp.grad_scaler": "minigrad.amp",
    "torch.autograd.anomaly_mode": "minigrad.autograd",
    "torch.autograd.forward_ad": "minigrad.func.forward_ad",
    "torch.autograd.grad_mode": "minigrad.autograd",
    "torch.autograd.gradcheck": "minigrad.autograd.checks",
    "torch.autograd.profiler": "minigrad.profiler",
    "torch.autograd.profiler_util": "minigrad.profiler.events",
    "torch.cuda.amp.autocast_mode": "minigrad.cuda.amp",
    "torch.cuda.amp.grad_scaler": "minigrad.cuda.amp",
    "torch.cuda.random": "minigrad.cuda",
    "torch.cuda.memory": "minigrad.cuda",
    "torch.cuda.streams": "minigrad.cuda",
    "torch.distributed.distributed_c10d": "minigrad.distributed",
    "torch.distributed.elastic.multiprocessing": "minigrad.distributed.elastic",
    "torch.distributed.elastic.multiprocessing.errors": "minigrad.distributed.elastic",
    "torch.distributed.nn.functional": "minigrad.distributed.nn",
    "torch.distributed.optim": "minigrad.optim.redundancy",
    "torch.distributed.pipelining": "minigrad.pipelining",
    "torch.functional": "minigrad",
    "torch.nn._reduction": "minigrad.nn.loss",
    "torch.nn.attention.flex_attention": "minigrad.func.flex_attention",
    "torch.nn.modules.channelshuffle": "minigrad.nn.shape",
    "torch.nn.modules.flatten": "minigrad.nn.shape",
    "torch.nn.modules.pixelshuffle": "minigrad.nn.shape",
    "torch.nn.parallel.distributed": "minigrad.nn.parallel",
    "torch.optim.adamw": "minigrad.optim.adam",
    "torch.profiler.profiler": "minigrad.profiler",
    "torch.quantization": "minigrad.ao.quantization",
    "torch.utils.data._utils": "minigrad.utils.data",
    "torch.utils.data._utils.collate": "minigrad.utils.data.collate",
    "torch.utils.data._utils.worker": "minigrad.utils.data.worker",
    "torch.utils.tensorboard.writer": "minigrad.utils.tensorboard",
}

# Files of PyTorch whose classes stand elsewhere in the package named: the package serves for them.
SPREAD: dict[str, tuple[str, frozenset[str]]] = {
    "torch.nn.modules": (
        "minigrad.nn",
        frozenset(
            {
                "activation", "adaptive", "batchnorm", "channelshuffle", "container", "conv",
                "distance", "dropout", "flatten", "fold", "instancenorm", "lazy", "linear", "loss",
                "module", "normalization", "padding", "pixelshuffle", "pooling", "rnn", "sparse",
                "transformer", "upsampling", "utils",
            }
        ),
    ),
    "torch.optim": (
        "minigrad.optim",
        frozenset(
            {
                "_adafactor", "_muon", "adadelta", "adagrad", "adam", "adamax", "adamw", "asgd",
                "lbfgs", "nadam", "optimizer", "radam", "rmsprop", "rprop", "sgd",
            }
        ),
    ),
    "torch.utils.data": (
        "minigrad.utils.data",
        frozenset({"dataloader", "dataset", "distributed", "sampler"}),
    ),
}  # fmt: skip

# Modules of minigrad that are not PyTorch's of that name, which programs must not be given.
NOT_TORCH = frozenset(
    {
        "attributes", "backend", "config", "conversion", "creation", "deferred",
        "determinism", "dispatch", "dtypes", "fills", "generator", "in_place", "kernels", "meta",
        "methods", "native", "ops", "printing", "quantized", "queries", "runner", "settings",
        "size", "streams", "tensor", "vision",
    }
)  # fmt: skip

# PyTorch's private names that programs use, as "module:name"; "module:" is the module itself. By
# the module of minigrad that stands where programs look.
_OWN = "minigrad.runner.private"
_SIZES = {f"_size_{n}_t": f"minigrad.nn.common_types:_size_{n}_t" for n in (1, 2, 3)}
_TUPLES = {
    name: f"minigrad.nn.modules.utils:{name}"
    for name in ("_single", "_pair", "_triple", "_reverse_repeat_tuple", "_list_with_default")
}
PRIVATE: dict[str, dict[str, str]] = {
    "minigrad": {
        "ExceptionWrapper": f"{_OWN}:ExceptionWrapper",
        "_VF": "minigrad:",
        "_adaptive_avg_pool2d": "minigrad.nn.functional:adaptive_avg_pool2d",
        "_assert": f"{_OWN}:assert_",
        "_check": f"{_OWN}:check",
        "_check_index": f"{_OWN}:check_index",
        "_check_is_size": f"{_OWN}:check_is_size",
        "_check_not_implemented": f"{_OWN}:check_not_implemented",
        "_check_type": f"{_OWN}:check_type",
        "_check_value": f"{_OWN}:check_value",
        "_dim_arange": f"{_OWN}:dim_arange",
        "_flatten_dense_tensors": f"{_OWN}:flatten_dense_tensors",
        "_get_device_index": f"{_OWN}:get_device_index",
        "_log_softmax": f"{_OWN}:log_softmax",
        "_reshape_from_tensor": f"{_OWN}:reshape_from_tensor",
        "_shape_as_tensor": f"{_OWN}:shape_as_tensor",
        "_softmax": f"{_OWN}:softmax",
        "_stack": "minigrad:stack",
        "_take_tensors": f"{_OWN}:take_tensors",
        "_unflatten_dense_tensors": f"{_OWN}:unflatten_dense_tensors",
        "_weight_norm": f"{_OWN}:weight_norm",
        "cond": f"{_OWN}:cond",
    },
    "minigrad._C": {
        "DisableTorchFunctionSubclass": "minigrad.dispatch:DisableTorchFunctionSubclass",
        "Generator": "minigrad:Generator",
        "Size": "minigrad:Size",
        "_TensorBase": "minigrad:Tensor",
        "_get_tracing_state": f"{_OWN}:nothing",
        "_infer_size": f"{_OWN}:infer_size",
        "_jit_override_can_fuse_on_cpu": f"{_OWN}:never",
        "_jit_override_can_fuse_on_gpu": f"{_OWN}:never",
        "_jit_set_nvfuser_enabled": f"{_OWN}:never",
        "_jit_set_profiling_executor": f"{_OWN}:never",
        "_jit_set_profiling_mode": f"{_OWN}:never",
        "_jit_set_texpr_fuser_enabled": f"{_OWN}:never",
        "_log_api_usage_once": f"{_OWN}:nothing",
        "_nn": "minigrad.nn.functional:",
        "_set_grad_enabled": "minigrad:set_grad_enabled",
        "default_generator": "minigrad:default_generator",
        "device": "minigrad:device",
        "dtype": "minigrad:dtype",
        "layout": "minigrad:layout",
        "memory_format": "minigrad:memory_format",
    },
    "minigrad.autograd": {
        "is_tensor_like": "minigrad.overrides:is_tensor_like",
        "set_multithreading_enabled": f"{_OWN}:flag",
    },
    "minigrad.nn.conv": {**_SIZES, **_TUPLES},
    "minigrad.nn.functional": {
        **_TUPLES,
        "Tensor": "minigrad:Tensor",
        "_Reduction": "minigrad.nn.loss:",
        "_VF": "minigrad:",
        "_canonical_mask": f"{_OWN}:canonical_mask",
        "_in_projection": f"{_OWN}:in_projection",
        "_in_projection_packed": f"{_OWN}:in_projection_packed",
        "_none_or_dtype": f"{_OWN}:none_or_dtype",
        "handle_torch_function": "minigrad.overrides:handle_torch_function",
        "has_torch_function": "minigrad.overrides:has_torch_function",
        "has_torch_function_variadic": "minigrad.overrides:has_torch_function_variadic",
    },
    "minigrad.nn.init": {
        "_no_grad_fill_": "minigrad.nn.init:constant_",
        "_no_grad_normal_": "minigrad.nn.init:normal_",
        "_no_grad_trunc_normal_": "minigrad.nn.init:trunc_normal_",
        "_no_grad_uniform_": "minigrad.nn.init:uniform_",
        "_no_grad_zero_": "minigrad.nn.init:zeros_",
    },
    "minigrad.nn.loss": {"get_enum": f"{_OWN}:reduction_number"},
    "minigrad.nn.modules.module": {
        "_IncompatibleKeys": "minigrad.nn._state:_IncompatibleKeys",
        "_addindent": "minigrad.nn.module:indent",
    },
    "minigrad.nn.pooling": {**_SIZES, **_TUPLES},
    "minigrad.nn.rnn": {"RNNCellBase": "minigrad.nn.rnn_cells:RNNCellBase"},
    "minigrad.nn.transformer": {
        "_generate_square_subsequent_mask": "minigrad.nn.transformer:_subsequent_mask",
        "_get_activation_fn": "minigrad.nn.transformer:_activation",
        "_get_clones": "minigrad.nn.transformer:_copies",
    },
    "minigrad.optim.optimizer": {
        "_default_to_fused_or_foreach": f"{_OWN}:default_to_fused_or_foreach",
        "_get_value": f"{_OWN}:get_value",
        "_use_grad_for_differentiable": f"{_OWN}:use_grad_for_differentiable",
    },
    "minigrad.utils": {"set_module": f"{_OWN}:set_module"},
    "minigrad.utils.checkpoint": {
        "detach_variable": f"{_OWN}:detach_variable",
        "noop_context_fn": f"{_OWN}:noop_context_fn",
        "set_checkpoint_early_stop": f"{_OWN}:flag",
    },
}
