"""Test configuration: four virtual CPU devices, no silent rank promotion, shapes enforced."""

import os

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=4"
os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # the tests mostly compile
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import jax

jax.config.update("jax_numpy_rank_promotion", "raise")

from tests import shapes  # noqa: E402

shapes.enforce()
