"""The command line: `softnce COMMAND`, `python -m softnce_jax COMMAND`, `experiments/COMMAND.py`.

A command is a module of `commands/` with a dataclass of flags and a `main`; it is imported when it
is called, and what it needs when it runs, so that help answers at once and without jax.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Sequence

from softnce_jax.errors import InputError

# In the order in which a person needs them.
COMMANDS = {
    "finetune": "Fine-tune a text/code encoder.",
    "evaluate": "Evaluate any encoder on any data, beside BM25.",
    "mine": "Make training data of a source tree.",
    "prepare": "Fetch and prepare CodeSearchNet, and models.",
    "mine-negatives": "Find hard negatives of training queries.",
    "train-simcse": "Train a sentence encoder on queries alone.",
    "sweep": "Run a grid of runs and write its tables.",
    "tables": "Write the tables of finished runs.",
    "figures": "Draw the figures of finished runs.",
    "negatives": "Measure how losses order the negatives.",
}
# What each extra installs, by the names under which programs import it.
EXTRAS = {
    "train": [
        "absl",
        "array_record",
        "bm25s",
        "datasketch",
        "filelock",
        "flax",
        "grain",
        "huggingface_hub",
        "importlib_resources",
        "numpy",
        "optax",
        "orbax",
        "pathspec",
        "py3langid",
        "pyarrow",
        "requests",
        "safetensors",
        "tabulate",
        "tensorflow_datasets",
        "tokenizers",
        "tqdm",
        "transformers",
        "tree_sitter",
        "tree_sitter_go",
        "tree_sitter_java",
        "tree_sitter_javascript",
        "tree_sitter_php",
        "tree_sitter_python",
        "tree_sitter_ruby",
        "tyro",
    ],
    "figures": ["matplotlib"],
    "datasets": ["datasets"],
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command that the arguments name; those of the program by default."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    name = arguments[0].replace("_", "-") if arguments else "--help"
    if name in ("-h", "--help"):
        print(usage())
    elif name in ("-V", "--version"):
        from softnce_jax import __version__

        print(f"softnce_jax {__version__}")
    elif name in COMMANDS:
        run(name, arguments[1:], program=f"softnce {name}")
    else:
        print(f"error: no command {arguments[0]!r}: {', '.join(COMMANDS)}", file=sys.stderr)
        sys.exit(2)


def usage() -> str:
    """What `softnce --help` prints."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {about}" for name, about in COMMANDS.items()]
    return "\n".join(
        [
            "usage: softnce COMMAND [FLAGS]",
            "",
            *lines,
            "",
            "softnce COMMAND --help lists its flags.",
        ]
    )


def run(name: str, arguments: Sequence[str] | None = None, *, program: str | None = None) -> None:
    """Runs one command on its flags; one line and exit 1 where it fails.

    Only what the user or the machine can be told in a line is caught: input that cannot be used,
    files that cannot be read or written, a training that diverged, an extra that is not installed.

    Args:
      name: a key of COMMANDS.
      arguments: its flags; those of the program by default.
      program: its name in help; by default that of the file that was started.
    """
    log_to_terminal()
    try:
        import tyro

        module = importlib.import_module(f"softnce_jax.commands.{name.replace('-', '_')}")
        module.main(tyro.cli(module.Flags, prog=program, args=arguments))
    except (InputError, OSError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except ModuleNotFoundError as error:
        if (line := missing_extra(error)) is None:
            raise
        print(f"error: softnce {name}: {line}", file=sys.stderr)
        sys.exit(1)


def missing_extra(error: ModuleNotFoundError) -> str | None:
    """What to install for a package that is not there; None where no extra of ours brings it.

    Example:
      >>> missing_extra(ModuleNotFoundError("...", name="flax.struct"))
      'flax is not installed: pip install "softnce_jax[train]"'
    """
    package = (error.name or "").partition(".")[0]
    extra = next((extra for extra, names in EXTRAS.items() if package in names), None)
    return extra and f'{package} is not installed: pip install "softnce_jax[{extra}]"'


class _Terminal(logging.Handler):
    """Messages as lines of standard output, warnings and errors of standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        is_warning = record.levelno >= logging.WARNING
        print(self.format(record), file=sys.stderr if is_warning else sys.stdout, flush=True)


def log_to_terminal() -> None:
    """Shows what the package logs. A library's user has logging set up otherwise, or not at all."""
    logger = logging.getLogger("softnce_jax")
    if not any(isinstance(handler, _Terminal) for handler in logger.handlers):
        logger.addHandler(_Terminal())
        logger.setLevel(logging.INFO)
        logger.propagate = False  # other libraries set up the root logger
