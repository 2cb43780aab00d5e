"""Makes the kernels' thread pool visible to threadpoolctl.

Done at import when threadpoolctl is loaded already; otherwise call `register()` before
`threadpoolctl.threadpool_info()` or `threadpool_limits`.
"""

from __future__ import annotations

_registered = False


def register() -> None:
    """Tell threadpoolctl of our library; a second call does nothing. Needs threadpoolctl."""
    global _registered
    if _registered:
        return
    import threadpoolctl

    from . import _C

    class MinigradController(threadpoolctl.LibController):
        user_api = "minigrad"
        internal_api = "minigrad"
        filename_prefixes = ("_c.",)  # threadpoolctl compares lower-case names
        check_symbols = ("minigrad_get_num_threads", "minigrad_set_num_threads")

        def get_num_threads(self) -> int:
            return _C.get_num_threads()

        def set_num_threads(self, num_threads: int) -> None:
            _C.set_num_threads(num_threads)

        def get_version(self) -> str:
            from minigrad.version import __version__

            return __version__

        def set_additional_attributes(self) -> None:
            pass

    threadpoolctl.register(MinigradController)
    _registered = True
