"""The versions of other packages that are known to work, and whether another one is why it failed.

Requirements have no upper bounds: who installs the library tomorrow gets tomorrow's packages, and
mostly they work. Where one does not, it breaks where nobody looks for it, in an import or an
attribute that is gone.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata

from softnce_jax.errors import first_line

__all__ = ["TESTED", "wrong_version"]

_OLD = sys.version_info < (3, 12)  # of these, the last release for Python 3.11
# As in requirements.txt.
TESTED = {
    "jax": "0.10.2" if _OLD else "0.12.0.1",
    "flax": "0.12.8" if _OLD else "0.12.12",
    "optax": "0.2.8",
    "orbax-checkpoint": "0.12.8",
    "grain": "0.2.18",
    "transformers": "4.57.6",
    "huggingface_hub": "0.36.2",
    "tokenizers": "0.22.2",
    "safetensors": "0.8.0",
    "tensorflow-datasets": "4.9.10",
    "importlib_resources": "7.1.0",
    "array_record": "0.8.6",
    "py3langid": "0.4.0",
    "datasketch": "2.0.0",
    "msgspec": "0.23.0",
    "bm25s": "0.3.16",
    "tabulate": "0.10.0",
    "tqdm": "4.70.1",
    "tyro": "1.0.17",
    "matplotlib": "3.11.2",
    "pyarrow": "26.0.1",
    "datasets": "4.8.5",
    "tensorboardX": "2.6.5",
    "tree-sitter": "0.26.1",
}


def wrong_version(error: BaseException) -> str | None:
    """Which package to install in another version where an error says that something is gone.

    Args:
      error: an ImportError or AttributeError, perhaps behind that of another package.

    Returns:
      One line, or None where all packages that it speaks of are as they were tested: then the error
      is ours.
    """
    cause: BaseException | None = error
    while cause is not None:
        for package in _packages(cause):
            for name in metadata.packages_distributions().get(package, ()):
                found = metadata.version(name)
                known = next((n for n in TESTED if _same(n, name)), None)
                if known is not None and found != TESTED[known]:
                    return (
                        f"{known} {found} does not work here ({first_line(cause)}), "
                        f"{TESTED[known]} does: pip install {known}=={TESTED[known]}"
                    )
        cause = cause.__cause__ or cause.__context__
    return None


def _packages(error: BaseException) -> list[str]:
    """The packages that an error speaks of: that which lacks something, then that which raised."""
    names = []
    if isinstance(error, ImportError):
        # Where a package has looked at another's version: "tokenizers>=0.22 is required, but ..."
        asked = re.match(r"[\w-]+", str(error))
        names += [error.name or "", asked[0].replace("-", "_") if asked else ""]
    elif isinstance(error, AttributeError):
        owner = error.obj
        names.append(getattr(owner, "__name__", "") if _is_module(owner) else _module_of(owner))
    else:
        return []
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    names.append(trace.tb_frame.f_globals.get("__name__", "") if trace is not None else "")
    return [name.partition(".")[0] for name in names if name]


def _is_module(value: object) -> bool:
    return isinstance(value, type(sys))


def _module_of(value: object) -> str:
    """The module that defines a class, or an object's class."""
    return (value if isinstance(value, type) else type(value)).__module__


def _same(first: str, second: str) -> bool:
    """Whether two names are of one distribution, as pip compares them."""
    return first.lower().replace("_", "-") == second.lower().replace("_", "-")
