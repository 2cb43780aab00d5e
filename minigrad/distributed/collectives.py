"""Collectives of one process: what comes from all processes comes from this one."""

from __future__ import annotations

import copy
from typing import Any, NoReturn

from ..autograd import no_grad
from ..autograd.variable import Variable
from .group import ReduceOp, Work, need_here, the_group


def _ready(name: str, group: Any, *tensors: Any, peer: Any = None) -> None:
    the_group(group)
    need_here(name, peer)
    for t in tensors:
        if not isinstance(t, Variable):
            raise TypeError(f"{name}: expected a tensor, got {type(t).__name__}")


def _done(async_op: bool) -> Work | None:
    return Work() if async_op else None


def _fill(name: str, targets: Any, values: Any) -> None:
    if len(targets) != 1 or len(values) != 1:
        raise ValueError(f"{name}: {len(targets)} tensors for one process; needed: one")
    with no_grad():
        targets[0].copy_(values[0])


def all_reduce(
    tensor: Any, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Any:
    """Combines the tensors of all processes, in place: it stays as it is."""
    _ready("all_reduce", group, tensor)
    return _done(async_op)


def reduce(
    tensor: Any, dst: Any = None, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Any:
    """Combines the tensors of all processes in process `dst`."""
    _ready("reduce", group, tensor, peer=dst)
    return _done(async_op)


def broadcast(tensor: Any, src: Any = None, group: Any = None, async_op: bool = False) -> Any:
    """Gives all processes the tensor of process `src`."""
    _ready("broadcast", group, tensor, peer=src)
    return _done(async_op)


def all_gather(tensor_list: list, tensor: Any, group: Any = None, async_op: bool = False) -> Any:
    """Writes the tensors of all processes into `tensor_list`."""
    _ready("all_gather", group, tensor)
    _fill("all_gather", tensor_list, [tensor])
    return _done(async_op)


def all_gather_into_tensor(
    output_tensor: Any, input_tensor: Any, group: Any = None, async_op: bool = False
) -> Any:
    """Writes the tensors of all processes into one."""
    _ready("all_gather_into_tensor", group, output_tensor, input_tensor)
    with no_grad():
        output_tensor.copy_(input_tensor.reshape(output_tensor.shape))
    return _done(async_op)


def gather(
    tensor: Any, gather_list: Any = None, dst: Any = None, group: Any = None, async_op: bool = False
) -> Any:
    """Writes the tensors of all processes into `gather_list` of process `dst`."""
    _ready("gather", group, tensor, peer=dst)
    if gather_list is None:
        raise ValueError("gather: process 0 receives; needed: gather_list")
    _fill("gather", gather_list, [tensor])
    return _done(async_op)


def scatter(
    tensor: Any,
    scatter_list: Any = None,
    src: Any = None,
    group: Any = None,
    async_op: bool = False,
) -> Any:
    """Writes this process's tensor of the list that process `src` has."""
    _ready("scatter", group, tensor, peer=src)
    if scatter_list is None:
        raise ValueError("scatter: process 0 sends; needed: scatter_list")
    _fill("scatter", [tensor], scatter_list)
    return _done(async_op)


def reduce_scatter(
    output: Any, input_list: list, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Any:
    """Combines the lists of all processes and writes this process's part."""
    _ready("reduce_scatter", group, output)
    _fill("reduce_scatter", [output], input_list)
    return _done(async_op)


def reduce_scatter_tensor(
    output: Any, input: Any, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Any:
    """Combines the tensors of all processes and writes this process's part: all of it."""
    _ready("reduce_scatter_tensor", group, output, input)
    with no_grad():
        output.copy_(input.reshape(output.shape))
    return _done(async_op)


def all_to_all(outputs: list, inputs: list, group: Any = None, async_op: bool = False) -> Any:
    """Process i's tensor j goes to process j's place i."""
    _ready("all_to_all", group, *outputs, *inputs)
    _fill("all_to_all", outputs, inputs)
    return _done(async_op)


def all_to_all_single(
    output: Any,
    input: Any,
    output_split_sizes: Any = None,
    input_split_sizes: Any = None,
    group: Any = None,
    async_op: bool = False,
) -> Any:
    """Part j of process i's tensor goes to process j's part i."""
    _ready("all_to_all_single", group, output, input)
    _fill("all_to_all_single", [output], [input])
    return _done(async_op)


def all_gather_object(object_list: list, obj: Any, group: Any = None) -> None:
    """Writes the objects of all processes into `object_list`."""
    _ready("all_gather_object", group)
    object_list[0] = copy.deepcopy(obj)


def gather_object(
    obj: Any, object_gather_list: Any = None, dst: Any = None, group: Any = None
) -> None:
    """Writes the objects of all processes into a list of process `dst`."""
    _ready("gather_object", group, peer=dst)
    if object_gather_list is None:
        raise ValueError("gather_object: process 0 receives; needed: object_gather_list")
    object_gather_list[0] = copy.deepcopy(obj)


def broadcast_object_list(
    object_list: list, src: Any = None, group: Any = None, device: Any = None
) -> None:
    """Gives all processes the objects of process `src`."""
    _ready("broadcast_object_list", group, peer=src)


def scatter_object_list(
    output_list: list, input_list: Any = None, src: Any = None, group: Any = None
) -> None:
    """Gives each process its object of the list that process `src` has."""
    _ready("scatter_object_list", group, peer=src)
    if not input_list or len(input_list) != 1:
        raise ValueError("scatter_object_list: needed: input_list with one object")
    output_list[0] = copy.deepcopy(input_list[0])


def barrier(group: Any = None, async_op: bool = False, device_ids: Any = None) -> Any:
    """Waits for all processes."""
    _ready("barrier", group)
    return _done(async_op)


def monitored_barrier(group: Any = None, timeout: Any = None, wait_all_ranks: bool = False) -> None:
    """Waits for all processes."""
    _ready("monitored_barrier", group)


def send(tensor: Any, dst: Any = None, group: Any = None, tag: int = 0) -> NoReturn:
    """Sends to another process: ValueError, there is none."""
    the_group(group)
    raise ValueError("Invalid destination rank: destination rank should not be the same as the "
                     "rank of the current process; the world has one process")  # fmt: skip


def recv(tensor: Any, src: Any = None, group: Any = None, tag: int = 0) -> NoReturn:
    """Receives from another process: ValueError, there is none."""
    the_group(group)
    raise ValueError("Invalid source rank: the world has one process")


isend, irecv = send, recv
