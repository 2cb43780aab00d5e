"""Encrypted checkpoints and data sets: AES-256-GCM, with the ciphers of `cryptography`.

    key = secure.Key.generate(); key.to_file("key")      # once; keep it apart from the data
    secure.save(model.state_dict(), "model.mgc", secure.Key.from_file("key"))
    model.load_state_dict(secure.load("model.mgc", secure.Key.from_file("key")))

Needs `pip install "minigrad[secure]"`.
"""

from .chunks import DecryptionError, WrongKey
from .datasets import EncryptedDataset, save_dataset
from .files import encrypt_file, load, rekey, save
from .keys import Key
from .streams import open_encrypted as open

__all__ = [
    "DecryptionError",
    "EncryptedDataset",
    "Key",
    "WrongKey",
    "encrypt_file",
    "load",
    "open",
    "rekey",
    "save",
    "save_dataset",
]
