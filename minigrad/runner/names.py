"""Which of minigrad's modules stands for which of PyTorch's: the exceptions to one rule, as data.

The rule: `torch.a.b` is `minigrad.a.b`, and `torchvision.a` is `minigrad.vision.a`.
"""

from __future__ import annotations

ROOTS = {"torch": "minigrad", "torchvision": "minigrad.vision"}

MODULES: dict[str, str] = {
    "torch._jit_internal": "minigrad.jit",
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
        "_C", "attributes", "backend", "config", "conversion", "creation", "deferred",
        "determinism", "dispatch", "dtypes", "fills", "generator", "in_place", "kernels", "meta",
        "methods", "native", "ops", "printing", "quantized", "queries", "runner", "settings",
        "size", "streams", "tensor", "vision",
    }
)  # fmt: skip
