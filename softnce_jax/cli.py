"""The command line: `softnce COMMAND`, `python -m softnce_jax COMMAND`, `experiments/COMMAND.py`.

A command is a module of `commands/` with a dataclass `Flags` and a function `main`. The module is
imported when the command is called, and what it computes with when `main` runs, so help answers at
once and needs no jax.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from softnce_jax.errors import InputError, first_line
from softnce_jax.files import printable
from softnce_jax.languages import LANGUAGES
from softnce_jax.packages import wrong_version

__all__ = ["COMMANDS", "main", "run"]

# In the order in which a person needs them.
COMMANDS = {
    "finetune": "Fine-tune a text/code encoder.",
    "evaluate": "Evaluate any encoder on any data, beside BM25.",
    "mine": "Make training data of a source tree.",
    "prepare": "Fetch and prepare CodeSearchNet, and models.",
    "mine-negatives": "Find hard negatives of training queries.",
    "distill": "Make a static encoder of any other.",
    "quantize": "Make the table of a static encoder smaller.",
    "train-simcse": "Train a sentence encoder on queries alone.",
    "plan": "Compile fine-tuning for TPUs or GPUs that are not here.",
    "sweep": "Run a grid of runs and write its tables.",
    "tables": "Write the tables of finished runs.",
    "figures": "Draw the figures of finished runs.",
    "negatives": "Measure how losses order the negatives.",
}
SECONDS_TO_END = 5.0  # after Ctrl-C
_INTERRUPTED = 128 + signal.SIGINT

# What each extra installs, by the names of the packages in an import.
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
        "msgspec",
        "optax",
        "orbax",
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
        *(language.grammar.partition(":")[0] for language in LANGUAGES.values()),
        "tyro",
    ],
    "figures": ["matplotlib"],
    "datasets": ["datasets"],
    "tensorboard": ["tensorboardX"],
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command that the arguments name, by default those of this process."""
    program = "softnce"
    if arguments is None:
        if Path(sys.argv[0]).name == "__main__.py":
            program = "python -m softnce_jax"
        arguments = sys.argv[1:]
    name = arguments[0].replace("_", "-") if arguments else "--help"
    if name in ("-h", "--help"):
        with _output():
            print(_usage(program))
    elif name in ("-V", "--version"):
        from softnce_jax import __version__

        print(f"softnce_jax {__version__}")
    elif name in COMMANDS:
        run(name, arguments[1:], program=f"{program} {name}")
    else:
        print(f"error: no command {arguments[0]!a}: {', '.join(COMMANDS)}", file=sys.stderr)
        sys.exit(2)


def _usage(program: str) -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {about}" for name, about in COMMANDS.items()]
    return "\n".join(
        [
            f"usage: {program} COMMAND [FLAGS]",
            "",
            *lines,
            "",
            f"{program} COMMAND --help lists its flags.",
        ]
    )


def run(name: str, arguments: Sequence[str] | None = None, *, program: str | None = None) -> None:
    """Runs one command; where it fails, prints one line and exits with status 1.

    This holds for what a user can cure: input that cannot be used, files that cannot be read or
    written, training that diverged, an extra that is not installed or a package of a version that
    does not work. Other errors are ours and keep their trace.

    Args:
      name: a key of COMMANDS.
      arguments: its flags, by default those of this process.
      program: its name in help, by default that of the file that was started.
    """
    _log_to_terminal()
    with _Interrupts():
        _run(name, arguments, program)


def _run(name: str, arguments: Sequence[str] | None, program: str | None) -> None:
    try:
        with _output():
            import tyro

            from softnce_jax.typed import check_fields

            module = importlib.import_module(f"softnce_jax.commands.{name.replace('-', '_')}")
            program = program or Path(sys.argv[0]).name
            flags = tyro.cli(module.Flags, prog=program, args=arguments)
            check_fields(flags)
            module.main(flags)
    except (InputError, OSError, FloatingPointError) as error:
        _fail(f"{error}")
    except (RuntimeError, AssertionError):
        if (missing := _missing_device()) is None:
            raise
        _fail(missing)
    except ValueError as error:
        if (wrong := _wrong_variable(error)) is None:
            raise
        _fail(wrong)
    except (ImportError, AttributeError) as error:
        if (wrong := _missing_extra(error) or wrong_version(error)) is None:
            raise
        _fail(f"softnce {name}: {wrong}")
    except KeyboardInterrupt:  # before or after training, which stops by itself
        sys.exit(_INTERRUPTED)


@contextlib.contextmanager
def _output() -> Iterator[None]:
    """Ends the program without a trace where who reads its output has enough, as `| head`."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # here, for at its end Python would report a pipe that is closed
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)


class _Interrupts:
    """While entered, Ctrl-C ends the command, after what is unfinished was removed.

    KeyboardInterrupt alone does not: raised while a package is imported it may end in a crash, in
    a callback it is only printed. So during an import the process ends at once, and else after
    some seconds at the latest, as it does at a second Ctrl-C.
    """

    def __init__(self):
        self._received = False
        self._timer = threading.Timer(SECONDS_TO_END, os._exit, [_INTERRUPTED])
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._in_main_thread = threading.current_thread() is threading.main_thread()
        if self._in_main_thread:
            self._before = signal.signal(signal.SIGINT, self._receive)

    def __exit__(self, *_: object) -> None:
        if self._in_main_thread:
            signal.signal(signal.SIGINT, self._before)
        if self._received:
            self._timer.cancel()  # the caller may catch SystemExit and go on
            sys.exit(_INTERRUPTED)

    def _receive(self, _: int, frame: FrameType | None) -> None:
        if self._received or _is_import(frame):
            os._exit(_INTERRUPTED)
        self._received = True
        self._timer.start()
        raise KeyboardInterrupt


def _is_import(frame: FrameType | None) -> bool:
    """Whether a module is being imported in a frame or in what called it."""
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def _fail(line: str) -> None:
    print(f"error: {printable(line)}", file=sys.stderr)
    sys.exit(1)


def _missing_extra(error: BaseException | None) -> str | None:
    """What to install for a package that is missing; None if none of our extras installs it.

    Example:
      >>> _missing_extra(ModuleNotFoundError("...", name="flax"))
      'flax is not installed: pip install "softnce_jax[train]"'
    """
    while error is not None:
        if isinstance(error, ModuleNotFoundError):
            for extra, packages in EXTRAS.items():
                if error.name in packages:  # of `flax.struct` only a part is missing
                    return f'{error.name} is not installed: pip install "softnce_jax[{extra}]"'
        error = error.__cause__  # a package may raise an error of its own, transformers for one
    return None


def _missing_device() -> str | None:
    """Why jax has no device, whatever it raised; None if it has one or is not used."""
    if "jax" not in sys.modules:
        return None
    from softnce_jax.mesh import devices

    try:
        devices()
    except InputError as error:
        return f"{error}"
    return None


def _wrong_variable(error: ValueError) -> str | None:
    """The variable for jax that an error names, as jax raises one where it is imported."""
    words = re.findall(r"\w+", f"{error}".upper())
    for name in words:
        if name.startswith("JAX_") and name in os.environ:
            return f"{name}={os.environ[name]}: {first_line(error)}"
    return None


class _Terminal(logging.Handler):
    """Prints messages to standard output, warnings and errors to standard error.

    Names in them may be anybody's: what would move the cursor or hide text is escaped.
    """

    def emit(self, record: logging.LogRecord) -> None:
        is_warning = record.levelno >= logging.WARNING
        line = printable(self.format(record))
        print(line, file=sys.stderr if is_warning else sys.stdout, flush=True)


def _log_to_terminal() -> None:
    """Shows what the package logs. Users of the library set up logging themselves, or see none."""
    logger = logging.getLogger("softnce_jax")
    if not any(isinstance(handler, _Terminal) for handler in logger.handlers):
        logger.addHandler(_Terminal())
        logger.setLevel(logging.INFO)
        logger.propagate = False  # other libraries set up the root logger
