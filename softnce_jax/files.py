"""Files: the one module that opens files for writing, so that a reader never sees half of one.

A file is written beside its final name, flushed to the disk and renamed; a folder likewise. So a
program that is killed, or a disk that is full, leaves the old content or nothing. What comes from
outside, names for files and text for the terminal, is made safe here too.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import filelock

from softnce_jax.errors import InputError

StrPath = str | os.PathLike[str]
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def to_path(path: StrPath) -> Path:
    """The path that a user typed, `~` expanded; every function here takes what a user typed.

    Example:
      >>> to_path("runs/ruby").name
      'ruby'
    """
    return Path(path).expanduser()


@contextlib.contextmanager
def whole_file(path: StrPath, mode: str = "wb", **options: Any) -> Iterator[IO]:
    """A file opened for writing that gets its name once the block has ended without an error.

    Args:
      path: of the file; missing parent folders are made.
      mode: "wb", or "w" for UTF-8 text.
      **options: of `open`.

    Yields:
      The open file, of a temporary name in the same folder.

    Raises:
      OSError: it cannot be written; the old file is as it was.

    Example:
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     with whole_file(f"{folder}/a.txt", "w") as file:
      ...         _ = file.write("whole")
      ...     Path(folder, "a.txt").read_text(), os.listdir(folder)
      ('whole', ['a.txt'])
    """
    path = to_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if "b" not in mode:
        options.setdefault("encoding", "utf-8")
    temporary = temporary_name(path)
    try:
        with temporary.open(mode, **options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # else a crash may leave the new name without its bytes
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


@contextlib.contextmanager
def whole_folder(path: StrPath, *, replace: bool = False) -> Iterator[Path]:
    """An empty folder that gets its name once the block has ended without an error.

    Args:
      path: of the folder; missing parents are made.
      replace: whether a folder that is there gives way. Else the one that came first stays, which
        is right where both hold the same, as entries of a cache do.

    Yields:
      The folder, of a temporary name beside its final one.

    Raises:
      OSError: it cannot be written; nothing of it is left.
    """
    path = to_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        new.chmod(0o777 & ~_umask())  # mkdtemp's are for the owner alone
        yield new
        for file in new.rglob("*"):
            if file.is_file():
                _sync(file)
        if replace and path.exists():
            discard_folder(path)
        try:
            os.rename(new, path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
    _sync_folder(path.parent)


def discard_folder(path: StrPath) -> None:
    """Removes a folder under its name at once, then its content.

    A process that has a file of it mapped into memory keeps that.
    """
    path = to_path(path)
    another_was_first = contextlib.suppress(FileNotFoundError)
    with tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as trash, another_was_first:
        os.rename(path, Path(trash, path.name))


def write_bytes(path: StrPath, content: bytes) -> None:
    """Writes a whole file of bytes."""
    with whole_file(path) as file:
        file.write(content)


def write_text(path: StrPath, text: str) -> None:
    """Writes a whole file of UTF-8 text."""
    write_bytes(path, text.encode())


def write_json(path: StrPath, value: Any) -> None:
    """Writes a whole JSON file, indented by two."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    # File names of other encodings have lone surrogates: JSON's escape of them is Python's.
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def read_json(path: StrPath) -> Any:
    """The value in a JSON file.

    Raises:
      InputError: the file is missing or is not JSON.
    """
    try:
        return json.loads(to_path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: missing or not JSON ({error}); fetch it anew") from None


def append_line(path: StrPath, line: str) -> None:
    """Appends a line to a text file in one write. A kill may leave a part of the last line."""
    with to_path(path).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


def lock(path: StrPath, *, timeout: float = -1) -> filelock.BaseFileLock:
    """A lock between processes, held inside `with`; of the path's folder and of that name.

    Raises:
      filelock.Timeout: others held it for `timeout` seconds; -1 waits for ever.
    """
    return filelock.FileLock(to_path(path), timeout=timeout)


def file_digest(path: StrPath, algorithm: str = "sha256") -> str:
    """A digest of a file's bytes, in hexadecimal; a block of them is in memory at a time."""
    with to_path(path).open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def safe_name(text: str) -> str:
    """A file name made of any text: other characters than letters, digits and `_.+-` become `_`.

    Example:
      >>> safe_name("0.5*bm25+my.module:function"), safe_name("..")
      ('0.5_bm25+my.module_function', '_')
    """
    name = re.sub(r"[^\w.+-]", "_", text)
    return re.sub(r"^\.+$", "_", name) or "_"


def safe_join(folder: StrPath, name: str) -> Path:
    """A path below a folder from a name that a server or an archive gave.

    Raises:
      InputError: the name leads out of the folder.

    Example:
      >>> safe_join("downloads", "train/0.parquet").as_posix()
      'downloads/train/0.parquet'
    """
    path = Path(os.path.normpath(to_path(folder) / name))
    if not path.is_relative_to(os.path.normpath(to_path(folder))):
        raise InputError(f"{name!r} leads out of {folder}")
    return path


def printable(text: str) -> str:
    r"""Text from outside for a terminal: control characters and direction marks are escaped.

    Example:
      >>> print(printable("a\x1b[31mb"))
      a\x1b[31mb
    """
    return CONTROLS.sub(lambda match: ascii(match[0])[1:-1], text)


def temporary_name(path: Path) -> Path:
    """The hidden name beside a path under which this process writes it."""
    return path.with_name(f".{path.name}.{os.getpid()}")


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Makes a rename last; some file systems cannot sync folders."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
