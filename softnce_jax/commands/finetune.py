"""`softnce finetune`: fine-tunes a text/code encoder and evaluates it."""

from __future__ import annotations

from softnce_jax.train.config import Config as Flags

__all__ = ["Flags", "main"]


def main(flags: Flags) -> None:
    """Trains or resumes the run that the flags name."""
    from softnce_jax.train import distributed

    with distributed.processes():  # before imports that use a device
        from softnce_jax.train.compile_cache import cached_compilations
        from softnce_jax.train.fit import fit

        with cached_compilations():
            fit(flags)
