"""Files of datasets: checked by MD5, downloaded through pooch."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tarfile
from typing import Any

from .._extra import need


def md5_of(path: Any) -> str:
    """The MD5 of a file, in hexadecimal."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check_integrity(path: Any, md5: str | None = None) -> bool:
    """Whether a file is there and has an MD5, if one is given."""
    return os.path.isfile(path) and (md5 is None or md5_of(path) == md5)


def download(mirrors: list[str], filename: str, folder: str, md5: str) -> str:
    """Fetches a file from the first mirror (a URL that ends in /) that has it; gives its path.

    A file that is there and whole is not fetched again. RuntimeError if no mirror has it, with
    what each of them said.
    """
    path = os.path.join(folder, filename)
    if check_integrity(path, md5):
        return path
    pooch = need("pooch", "pooch")
    said = []
    for mirror in mirrors:
        try:
            pooch.retrieve(mirror + filename, f"md5:{md5}", fname=filename, path=folder)
            return path
        except Exception as error:  # of HTTP, of sockets, of a wrong checksum
            said.append(f"{mirror}: {error}")
    raise RuntimeError(
        f"Error downloading {filename}; needed: a mirror that has it. " + "; ".join(said)
    )


def unpack_gzip(path: str) -> str:
    """Unpacks x.gz to x beside it."""
    target = path.removesuffix(".gz")
    with gzip.open(path, "rb") as packed, open(target, "wb") as file:
        shutil.copyfileobj(packed, file)
    return target


def unpack_tar(path: str, folder: str) -> None:
    """Unpacks files and folders that stay inside of `folder`. RuntimeError for others."""
    root = os.path.realpath(folder)
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            target = os.path.realpath(os.path.join(root, member.name))
            inside = target == root or target.startswith(root + os.sep)
            if not inside or not (member.isfile() or member.isdir()):
                raise RuntimeError(f"{path}: {member.name} does not belong into a dataset")
            if member.isdir():
                os.makedirs(target, exist_ok=True)
                continue
            os.makedirs(os.path.dirname(target), exist_ok=True)
            source = archive.extractfile(member)
            assert source is not None
            with source, open(target, "wb") as file:
                shutil.copyfileobj(source, file)
