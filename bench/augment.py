"""Images a second: transforms of whole batches beside the same transforms image by image.

    MINIGRAD_NUM_THREADS=1 python bench/augment.py [--batch 128] [--size 32]

Processor time of one thread, the best of several runs; a batch of uint8 and one of floats.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import minigrad as mg
from minigrad.vision import augment as A
from minigrad.vision import transforms as T

BILINEAR = T.InterpolationMode.BILINEAR


def rate(function: Callable[[], object], images: int) -> float:
    """Images in a second of the processor's time."""
    best = float("inf")
    for _ in range(7):
        start = time.process_time()
        function()
        best = min(best, time.process_time() - start)
    return images / best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--size", type=int, default=32)
    args = parser.parse_args()
    mg.set_num_threads(1)
    n, size = args.batch, args.size
    affine = (10, (0.1, 0.1), (0.9, 1.1), 5, BILINEAR)
    jitter = (0.4, 0.4, 0.4, 0.1)
    pairs = [
        (A.RandomCrop(size, padding=4), T.RandomCrop(size, padding=4)),
        (A.RandomResizedCrop(size), T.RandomResizedCrop(size, antialias=False)),
        (A.RandomHorizontalFlip(), T.RandomHorizontalFlip()),
        (A.RandomRotation(15, BILINEAR), T.RandomRotation(15, BILINEAR)),
        (A.RandomAffine(*affine), T.RandomAffine(*affine)),
        (A.ColorJitter(*jitter), T.ColorJitter(*jitter)),
        (A.RandomGrayscale(0.5), T.RandomGrayscale(0.5)),
        (A.GaussianBlur(3), T.GaussianBlur(3)),
        (A.RandomErasing(), T.RandomErasing()),
        (A.GaussianNoise(), None),
        (A.Cutout(8), None),
        (A.RandAugment(), None),
        (A.AugMix(), None),
    ]
    integers = mg.randint(0, 256, (n, 3, size, size), dtype=mg.uint8)
    batches = (integers, integers.float() / 255)
    print(f"{n} images of {size} x {size}: images/s of batches, image by image, ratio")
    print(f"{'':24}{'uint8':^30}{'float32':^30}")
    for whole, single in pairs:
        cells = ""
        for x in batches:
            batch = rate(lambda t=whole, x=x: t(x), n)
            cells += f"{batch:10,.0f}"
            if single is None:
                cells += " " * 20
                continue
            one = rate(lambda t=single, x=x: [t(image) for image in x], n)
            cells += f"{one:12,.0f}{batch / one:7.1f}x"
        print(f"{type(whole).__name__:24}{cells}", flush=True)


if __name__ == "__main__":
    main()
