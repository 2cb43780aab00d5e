"""`minigrad.hub`: weights that are already on this machine; nothing is downloaded."""

from __future__ import annotations

import os
from typing import Any, NoReturn
from urllib.parse import urlparse

from .serialization import load as _load

_dir = os.path.join("~", ".cache", "torch", "hub")


def get_dir() -> str:
    """The folder of the hub's files."""
    return os.path.expanduser(_dir)


def set_dir(d: Any) -> None:
    """Chooses the folder of the hub's files."""
    global _dir
    _dir = os.fspath(d)


def load_state_dict_from_url(
    url: str,
    model_dir: Any = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = True,
) -> Any:
    """Reads the file of a URL that stands in `model_dir` (by default `get_dir()/checkpoints`).

    RuntimeError if it is not there: minigrad downloads no weights.
    """
    folder = os.path.join(get_dir(), "checkpoints") if model_dir is None else os.fspath(model_dir)
    path = os.path.join(folder, file_name or os.path.basename(urlparse(url).path))
    if not os.path.isfile(path):
        raise RuntimeError(
            f"load_state_dict_from_url: minigrad downloads nothing; put the file of {url} at {path}"
        )
    return _load(path, map_location, weights_only=weights_only)


def load(*args: Any, **kwargs: Any) -> NoReturn:
    """Would run code from a repository: RuntimeError."""
    raise RuntimeError("hub: minigrad downloads and runs no code from repositories")


list = help = download_url_to_file = load
