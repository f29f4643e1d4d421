"""Enforces the jaxtyping annotations of the public functions, in tests only.

The package names shapes in annotations but does not import jaxtyping, so users pay nothing. Here
the annotations are evaluated and the functions replaced by checked ones before any test imports
them.
"""

from __future__ import annotations

import collections.abc
import functools
import importlib
import inspect
import sys

import jax
import jaxtyping
import numpy as np
from beartype import BeartypeConf, beartype

MODULES = (
    "softnce_jax.losses",
    "softnce_jax.weights",
    "softnce_jax.estimators.bm25",
    "softnce_jax.encoders.graph",
    "softnce_jax.encoders.pooling",
    "softnce_jax.retrieval.uniformity",
    "softnce_jax.retrieval.metrics",
)
NAMES = {name: getattr(jaxtyping, name) for name in ("Array", "Bool", "Float", "Int", "Num")}
NAMES |= {**vars(collections.abc), "jax": jax, "np": np}


def checked(function):
    """`function` with its annotations evaluated and enforced at every call."""

    @functools.wraps(function)
    def clone(*args, **kwargs):
        return function(*args, **kwargs)

    clone.__annotations__ = inspect.get_annotations(function, eval_str=True, locals=NAMES)
    # The typechecker reads the signature, where the annotations are strings still.
    parameters = [
        p.replace(annotation=clone.__annotations__.get(p.name, p.empty))
        for p in inspect.signature(function).parameters.values()
    ]
    returned = clone.__annotations__.get("return", inspect.Signature.empty)
    clone.__signature__ = inspect.Signature(parameters, return_annotation=returned)
    strict = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int is a float, too
    return jaxtyping.jaxtyped(typechecker=strict)(clone)


def enforce() -> None:
    """Replaces every public function of MODULES, and its copies elsewhere, by a checked one."""
    new = {}
    for name in MODULES:
        for function in vars(importlib.import_module(name)).values():
            if inspect.isfunction(function) and function.__module__ == name:
                annotated = "return" in function.__annotations__
                if annotated and not function.__name__.startswith("_"):
                    new[function] = checked(function)
    for name in [n for n in sys.modules if n.partition(".")[0] == "softnce_jax"]:
        module = sys.modules[name]
        for attribute, value in list(vars(module).items()):
            if inspect.isfunction(value) and value in new:
                setattr(module, attribute, new[value])
