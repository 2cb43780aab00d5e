"""The process group of one process: making it, and asking who is in it."""

from __future__ import annotations

from enum import Enum
from typing import Any

from ..settings import launch_environment


class ReduceOp(Enum):
    """How values of several processes become one. Of one value all make the value itself."""

    SUM = 0
    AVG = 1
    PRODUCT = 2
    MIN = 3
    MAX = 4
    BAND = 5
    BOR = 6
    BXOR = 7


class Backend:
    """Names of libraries that carry messages."""

    UNDEFINED = "undefined"
    GLOO = "gloo"
    NCCL = "nccl"
    MPI = "mpi"
    UCC = "ucc"


class ProcessGroup:
    """The group that holds this process alone."""

    def __init__(self, backend: str):
        self.backend = backend

    def rank(self) -> int:
        """0."""
        return 0

    def size(self) -> int:
        """1."""
        return 1

    def name(self) -> str:
        """The backend's name."""
        return self.backend


class Work:
    """A collective that has been started: on one process it is done."""

    def wait(self, timeout: Any = None) -> bool:
        """True, at once."""
        return True

    def is_completed(self) -> bool:
        """True."""
        return True

    is_success = is_completed


_world: ProcessGroup | None = None


class _GroupType(type):
    @property
    def WORLD(cls) -> ProcessGroup | None:
        return _world


class group(metaclass=_GroupType):
    """`group.WORLD`: the default group."""


class GroupMember(group):
    """`GroupMember.WORLD`: the default group; NON_GROUP_MEMBER: for processes outside a group."""

    NON_GROUP_MEMBER = -100


def is_available() -> bool:
    """True: groups of one process can be made."""
    return True


def is_initialized() -> bool:
    """Whether `init_process_group` was called."""
    return _world is not None


def is_nccl_available() -> bool:
    """Whether NVIDIA's library is there."""
    return False


is_mpi_available = is_ucc_available = is_nccl_available


def is_gloo_available() -> bool:
    """True: the group of one process answers to this name."""
    return True


def is_torchelastic_launched() -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in launch_environment()


def init_process_group(
    backend: str | None = None,
    init_method: str | None = None,
    timeout: Any = None,
    world_size: int = -1,
    rank: int = -1,
    store: Any = None,
    group_name: str = "",
    pg_options: Any = None,
    device_id: Any = None,
) -> None:
    """Makes the group of this process.

    World size and rank come from the arguments or, as torchrun sets them, from WORLD_SIZE and RANK.
    ValueError if neither says them, or the group exists; RuntimeError for more than one process, or
    for NCCL, which needs CUDA.
    """
    global _world
    if _world is not None:
        raise ValueError("trying to initialize the default process group twice!")
    environment = launch_environment()
    for name, value in (("RANK", rank), ("WORLD_SIZE", world_size)):
        if value < 0 and name not in environment:
            raise ValueError(
                "Error initializing torch.distributed using env:// rendezvous: environment "
                f"variable {name} expected, but not set"
            )
    size = world_size if world_size >= 0 else int(environment["WORLD_SIZE"])
    if size != 1:
        raise RuntimeError(
            f"init_process_group: {size} processes were asked for; minigrad trains in one process. "
            "Start the program with WORLD_SIZE=1 (torchrun --nproc-per-node=1)"
        )
    if str(backend).lower() == "nccl":
        raise RuntimeError(
            "init_process_group: the backend 'nccl' needs CUDA, which is not here; needed: 'gloo'"
        )
    _world = ProcessGroup(str(backend or "gloo").lower())


def destroy_process_group(group: Any = None) -> None:
    """Ends the group."""
    global _world
    the_group(None)
    _world = None


def the_group(group: Any) -> ProcessGroup:
    """The group that an argument names. ValueError if there is none."""
    if isinstance(group, ProcessGroup):
        return group
    if _world is None:
        raise ValueError(
            "Default process group has not been initialized, please make sure to call "
            "init_process_group."
        )
    return _world


def new_group(ranks: Any = None, *args: Any, **kwargs: Any) -> ProcessGroup:
    """A group of the processes `ranks`: of this one. ValueError for other ranks."""
    world = the_group(None)
    if ranks is not None and list(ranks) not in ([], [0]):
        raise ValueError(f"new_group: ranks {list(ranks)}; the world has one process, 0")
    return ProcessGroup(world.backend)


def get_rank(group: Any = None) -> int:
    """This process's number: 0."""
    return the_group(group).rank()


def get_world_size(group: Any = None) -> int:
    """How many processes there are: 1."""
    return the_group(group).size()


def get_backend(group: Any = None) -> str:
    """The name that `init_process_group` was given."""
    return the_group(group).backend


def get_node_local_rank(fallback_rank: int | None = None) -> int:
    """This process's number on its machine, from LOCAL_RANK. RuntimeError without one."""
    local = launch_environment().get("LOCAL_RANK")
    if local is not None:
        return int(local)
    if fallback_rank is None:
        raise RuntimeError(
            "LOCAL_RANK is not in the environment. Consider passing fallback_rank to allow "
            "`get_node_local_rank` to work, assuming you are not running in a multi-device context"
        )
    return int(fallback_rank)


def get_process_group_ranks(group: Any = None) -> list[int]:
    """The processes of a group: [0]."""
    the_group(group)
    return [0]


def need_here(name: str, rank: Any) -> None:
    """ValueError for a process that is not there."""
    if rank not in (None, 0):
        raise ValueError(f"{name}: process {rank} does not exist; the world has one, 0")


def get_global_rank(group: Any, group_rank: int) -> int:
    """The number in the world of a process of the group."""
    need_here("get_global_rank", group_rank)
    return 0


def get_group_rank(group: Any, global_rank: int) -> int:
    """The number in the group of a process of the world."""
    need_here("get_group_rank", global_rank)
    return 0
