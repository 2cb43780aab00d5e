"""Convolutions in their three directions: result, gradient of the input, gradient of the weight."""

from __future__ import annotations

from cases import Case, gradient_of, normal, tensor

DIRECTIONS = ("forward", "d-input", "d-weight")


def conv(n, channels, outputs, extent, kernel, stride=1, padding=0, groups=1, size="medium"):
    """The three cases of a layer on images of extent × extent."""
    result = (extent + 2 * padding - kernel) // stride + 1
    flops = 2.0 * n * outputs * result**2 * (channels // groups) * kernel**2

    def of(direction):
        def make(t):
            x = tensor(t, n, channels, extent, extent, grad=True)
            w = tensor(t, outputs, channels // groups, kernel, kernel, seed=1, scale=0.1, grad=True)

            def forward():
                return t.nn.functional.conv2d(x, w, None, stride, padding, 1, groups)

            if direction == "forward":
                x, w = x.detach(), w.detach()
                return forward
            return gradient_of(t, forward, [x if direction == "d-input" else w])

        return make

    def of_jax(j):
        x = j.numpy.asarray(normal(n, channels, extent, extent))
        w = j.numpy.asarray(normal(outputs, channels // groups, kernel, kernel, seed=1, scale=0.1))
        f = j.jit(
            lambda x, w: j.lax.conv_general_dilated(
                x, w, (stride, stride), [(padding, padding)] * 2, feature_group_count=groups
            )
        )
        return lambda: f(x, w).block_until_ready()

    name = f"{channels}->{outputs} {kernel}x{kernel}" + (f" s{stride}" if stride > 1 else "")
    name += f" groups {groups}" if groups > 1 else ""
    return [
        Case(
            f"{name} on {n}x{extent}x{extent} {direction}",
            of(direction),
            jax=of_jax if direction == "forward" else None,
            size=size,
            flops=flops,
            tolerance=3e-4,
        )
        for direction in DIRECTIONS
    ]


CASES = [
    *conv(4, 8, 16, 14, 3, padding=1, size="small"),
    *conv(32, 64, 64, 32, 3, padding=1),
    *conv(32, 128, 128, 16, 3, padding=1),
    *conv(32, 256, 256, 14, 3, padding=1),
    *conv(32, 512, 512, 7, 3, padding=1),
    *conv(32, 64, 128, 32, 3, stride=2, padding=1),
    *conv(64, 3, 64, 32, 3, padding=1),
    *conv(16, 3, 64, 224, 7, stride=2, padding=3, size="large"),
    *conv(64, 1, 32, 28, 5),
    *conv(64, 32, 64, 12, 3),
    *conv(64, 16, 32, 28, 3, padding=1),
    *conv(1, 64, 64, 56, 3, padding=1),
    *conv(32, 256, 1024, 14, 1),
    *conv(32, 128, 128, 28, 3, padding=1, groups=128),
    *conv(32, 96, 96, 56, 3, stride=2, padding=1, groups=96),
    *conv(32, 512, 512, 7, 3, padding=1, groups=512),
]
