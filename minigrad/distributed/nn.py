"""Collectives whose gradients travel too: in a world of one, results are copies of the inputs."""

from __future__ import annotations

from typing import Any

from .group import ReduceOp, need_here, the_group

__all__ = ["all_gather", "all_reduce", "all_to_all", "broadcast", "gather", "reduce", "scatter"]


def all_reduce(tensor: Any, op: ReduceOp = ReduceOp.SUM, group: Any = None) -> Any:
    """The tensor reduced over all processes."""
    the_group(group)
    return tensor.clone()


def all_gather(tensor: Any, group: Any = None) -> tuple:
    """The tensors of all processes."""
    the_group(group)
    return (tensor.clone(),)


def broadcast(tensor: Any, src: int, group: Any = None) -> Any:
    """The tensor of process `src`. ValueError for processes that do not exist."""
    the_group(group)
    need_here("src", src)
    return tensor.clone()


def reduce(tensor: Any, dst: int, op: ReduceOp = ReduceOp.SUM, group: Any = None) -> Any:
    """The tensor reduced over all processes, at process `dst`."""
    the_group(group)
    need_here("dst", dst)
    return tensor.clone()


def gather(tensor: Any, dst: int = 0, group: Any = None) -> tuple:
    """The tensors of all processes, at process `dst`."""
    the_group(group)
    need_here("dst", dst)
    return (tensor.clone(),)


def scatter(tensors: Any, src: int = 0, group: Any = None) -> Any:
    """This process's one of the tensors of process `src`."""
    the_group(group)
    need_here("src", src)
    return tensors[0].clone()


def all_to_all(output_tensor_list: list, input_tensor_list: list, group: Any = None) -> tuple:
    """What all processes send to this one."""
    the_group(group)
    return tuple(t.clone() for t in input_tensor_list)
