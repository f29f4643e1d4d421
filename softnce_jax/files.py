"""Files: the one module that opens files for writing, so that a reader never sees half of one.

A file is written under another name in the same folder, synced to the disk and renamed; a folder
likewise. So a program that is killed, or a disk that is full, leaves the old content or nothing.
File names and text that come from outside are made safe here too.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import math
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from softnce_jax.errors import InputError, first_line

if TYPE_CHECKING:
    import filelock

__all__ = [
    "DIGESTS",
    "StrPath",
    "append_line",
    "changed_file",
    "discard_folder",
    "file_digest",
    "json_text",
    "lock",
    "open_part",
    "printable",
    "printable_line",
    "publish",
    "read_json",
    "safe_join",
    "safe_name",
    "set_aside",
    "to_path",
    "whole_file",
    "whole_file_path",
    "whole_folder",
    "write_bytes",
    "write_digests",
    "write_json",
    "write_text",
]

DIGESTS = "SHA256SUMS"
LARGEST_JSON = 1 << 26  # bytes
StrPath = str | os.PathLike[str]
# What moves the cursor, reverses the text or cannot be encoded; tabs and ends of lines may stay.
_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def to_path(path: StrPath) -> Path:
    """A path as the functions of this module use it.

    All of them pass their paths through here: the one place to change for storage that is not
    local. So do the paths that a person gives, in flags, grids, variables and configurations: a
    `~` at the beginning is a home folder, which no shell expands in `--out=~/run`. Configurations
    are stored as they were given.

    Example:
      >>> to_path("runs/ruby").name, to_path("~/runs") == Path.home() / "runs"
      ('ruby', True)
    """
    return Path(os.path.expanduser(path))


@contextlib.contextmanager
def whole_file(path: StrPath, mode: Literal["w", "wb"] = "wb", **options: Any) -> Iterator[IO]:
    """A file opened for writing that gets its name when the block ends without an error.

    Args:
      path: of the file; missing parent folders are made.
      mode: "wb", or "w" for UTF-8 text.
      **options: of `open`.

    Yields:
      The open file, under a temporary name in the same folder.

    Raises:
      OSError: it cannot be written; the old file is as it was.

    Example:
      >>> import tempfile
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
    with _temporary_file(path) as temporary:
        with _named_if_full(path), temporary.open(mode, **options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # else a crash may leave the new name without its bytes
        os.replace(temporary, path)
    _sync_folder(path.parent)


@contextlib.contextmanager
def _named_if_full(path: Path) -> Iterator[None]:
    """Lets an error of a full disk, which names no file, name this one."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            error.filename = f"{path}"
        raise


@contextlib.contextmanager
def whole_file_path(path: StrPath) -> Iterator[Path]:
    """As `whole_file`, for a library that opens the file itself: yields the temporary path.

    The library must have closed the file when the block ends.
    """
    path = to_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _temporary_file(path) as temporary:
        yield temporary
        publish(temporary, path)


def open_part(path: StrPath, *, append: bool) -> IO[bytes]:
    """Opens a file that is written in several attempts, as a download is; `publish` names it.

    Args:
      path: of the part, other than that of the whole file.
      append: whether to go on with the bytes that are there, or to begin anew.
    """
    return to_path(path).open("ab" if append else "wb")


def publish(temporary: StrPath, path: StrPath) -> None:
    """Gives a finished file its name, once its bytes are on the disk."""
    with to_path(temporary).open("rb") as file:
        os.fsync(file.fileno())
    os.replace(to_path(temporary), to_path(path))
    _sync_folder(to_path(path).parent)


@contextlib.contextmanager
def whole_folder(
    path: StrPath, *, replace: bool = False, exclusive: bool = False
) -> Iterator[Path]:
    """An empty folder that gets its name when the block ends without an error.

    Args:
      path: of the folder; missing parents are made.
      replace: whether to replace a folder of that name. Otherwise the first one stays, which is
        right where both hold the same, as entries of a cache do.
      exclusive: whether a folder of that name is an error, unless it is empty.

    Yields:
      The folder, under a temporary name beside the final one.

    Raises:
      FileExistsError: `exclusive`, and another was first.
      OSError: it cannot be written; nothing of it is left.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as parent:
      ...     with whole_folder(f"{parent}/model") as folder:
      ...         write_text(folder / "a.txt", "whole")
      ...     os.listdir(parent), os.listdir(f"{parent}/model")
      (['model'], ['a.txt'])
    """
    path = to_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _temporary_folder(path) as new:
        yield new
        _set_modes(new)
        _sync_tree(new)
        # The old folder is removed after the rename, so that its name is free for a moment only.
        with _moved_aside(path) if replace else contextlib.nullcontext():
            if not _rename_unless_taken(new, path) and exclusive:
                raise FileExistsError(errno.EEXIST, "the folder exists", str(path))
    _sync_folder(path.parent)


def discard_folder(path: StrPath) -> None:
    """Removes a folder, if it is there: first its name, at once, then its content.

    A process that has mapped one of its files into memory keeps the mapping.
    """
    with _moved_aside(to_path(path)):
        pass


def set_aside(path: StrPath, folder: StrPath) -> Path:
    """Moves a file or folder into a folder on the same disk, where nothing is replaced.

    Returns:
      Its new path, the old name and a number.
    """
    path, folder = to_path(path), to_path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / f"{path.name}-{len(list(folder.glob(f'{path.name}-*')))}"
    os.rename(path, new)
    return new


def write_bytes(path: StrPath, content: bytes) -> None:
    """Writes a whole file of bytes."""
    with whole_file(path) as file:
        file.write(content)


def write_text(path: StrPath, text: str) -> None:
    """Writes a whole file of UTF-8 text."""
    write_bytes(path, text.encode())


def json_text(value: Any, **options: Any) -> str:
    """A value as JSON, which has no NaN and no infinity: such numbers become null.

    Args:
      value: dictionaries, lists, texts, numbers.
      **options: of `json.dumps`.

    Example:
      >>> json_text({"mrr": [0.5, float("nan")]})
      '{"mrr": [0.5, null]}'
    """
    try:
        return json.dumps(value, allow_nan=False, **options)
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False, **options)


def _finite(value: Any) -> Any:
    """The value with None in the place of numbers that are not finite."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path: StrPath, value: Any) -> None:
    """Writes a whole JSON file, indented by two, by the rule of `json_text`."""
    text = json_text(value, indent=2, ensure_ascii=False) + "\n"
    # Names of files in other encodings hold lone surrogates, which UTF-8 has no bytes for. Python's
    # escape of one, \udc80, is also JSON's.
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def read_json(path: StrPath, as_type: Any = None) -> Any:
    """The value in a JSON file.

    Args:
      path: of the file.
      as_type: what it must be, see `typed.check_type`; by default anything.

    Raises:
      InputError: the file is missing, larger than LARGEST_JSON, not JSON or of another type.
    """
    path = to_path(path)
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # reading a pipe would wait for ever
            raise ValueError("no regular file")
        if about.st_size > LARGEST_JSON:
            raise ValueError(f"{about.st_size:,} bytes, at most {LARGEST_JSON:,}")
        value = json.loads(path.read_text("utf-8-sig"))  # editors may begin with a byte order mark
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise InputError(f"{path}: missing or not JSON ({reason})") from None
    if as_type is None:
        return value
    from softnce_jax.typed import check_type  # here, for it needs a package

    return check_type(value, as_type, path)


def append_line(path: StrPath, line: str) -> None:
    """Appends a line to a text file. A kill may leave a part of the last line."""
    with to_path(path).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


def lock(path: StrPath, *, timeout: float = -1) -> filelock.BaseFileLock:
    """A lock between processes, to be held with `with`.

    Args:
      path: of the lock's file, in a folder that exists.
      timeout: seconds to wait for another process; -1 waits for ever.

    Raises:
      filelock.Timeout: when entered, if another process held it all that time.
    """
    import filelock  # here, for what only writes files needs no package

    return filelock.FileLock(to_path(path), timeout=timeout)


def file_digest(path: StrPath, algorithm: str = "sha256") -> str:
    """A digest of a file's bytes, in hexadecimal, read block by block."""
    with to_path(path).open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def write_digests(folder: StrPath) -> None:
    """Writes SHA256SUMS, with which `sha256sum --check` finds a file of the folder that changed."""
    folder = to_path(folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{file_digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    write_text(folder / DIGESTS, "".join(lines))


def changed_file(folder: StrPath) -> Path | None:
    """The first file that is not as `write_digests` found it; None also where it never ran.

    Raises:
      InputError: SHA256SUMS itself is damaged.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     write_text(f"{folder}/a.txt", "whole")
      ...     write_digests(folder)
      ...     before = changed_file(folder)
      ...     write_text(f"{folder}/a.txt", "whale")
      ...     before, changed_file(folder).name
      (None, 'a.txt')
    """
    sums = to_path(folder) / DIGESTS
    if not sums.is_file():
        return None
    for number, line in enumerate(sums.read_bytes().decode(errors="replace").splitlines(), 1):
        match = re.fullmatch("([0-9a-f]{64})  (.+)", line)
        if match is None:
            raise InputError(f"{sums}:{number}: no SHA-256 and name of a file")
        path = safe_join(folder, match[2])
        if not path.is_file() or file_digest(path) != match[1]:
            return path
    return None


def safe_name(text: str) -> str:
    """A file name made from any text: all but letters, digits and `_.+-` becomes `_`.

    Example:
      >>> safe_name("0.5*bm25+my.module:function"), safe_name("..")
      ('0.5_bm25+my.module_function', '_')
    """
    name = re.sub(r"[^\w.+-]", "_", text)
    return re.sub(r"^\.+$", "_", name) or "_"


def safe_join(folder: StrPath, name: str) -> Path:
    """The path of a file below a folder, by a name that a server or an archive gave.

    Raises:
      InputError: the name leads out of the folder, or is that of no file.

    Example:
      >>> safe_join("downloads", "train/0.parquet").as_posix()
      'downloads/train/0.parquet'
    """
    folder = to_path(folder)
    path = Path(os.path.normpath(folder / name))
    # Compared as absolute paths: relative to ".", every path looks as if it lay below.
    if Path(os.path.abspath(folder)) not in Path(os.path.abspath(path)).parents or "\0" in name:
        raise InputError(f"{name!r} is not the name of a file below {folder}")
    return path


def printable(text: str) -> str:
    r"""Text from outside for a terminal: control characters and direction marks are escaped.

    Example:
      >>> print(printable("a\x1b[31mb"))
      a\x1b[31mb
    """
    return _UNPRINTABLE.sub(lambda match: ascii(match[0])[1:-1], text)


def printable_line(text: str) -> str:
    r"""As `printable`, for a name that must stay in one line or cell.

    Example:
      >>> print(printable_line("a\n| b"))
      a\n| b
    """
    return printable(text).replace("\n", r"\n").replace("\t", r"\t")


@contextlib.contextmanager
def _temporary_file(path: Path) -> Iterator[Path]:
    """An empty hidden file beside a path, for one writer alone, removed at the end if still there.

    As of `_temporary`.
    """
    with _temporary(path, lambda new: new.open("xb").close()) as temporary:
        try:
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _temporary_folder(path: Path) -> Iterator[Path]:
    """As `_temporary_file`, an empty folder."""
    with _temporary(path, Path.mkdir) as temporary:
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def _temporary(path: Path, create: Callable[[Path], None]) -> Iterator[Path]:
    """What has a hidden name beside a path, locked while this writer is at it.

    The name is random, for a process id does not tell hosts apart that share a file system. The
    lock ends with its process, however that ends: what bears such a name and no lock was left by a
    killed one, and the next writer of the same path removes it. A lock and no age, for a writer may
    be slow, and clocks differ.
    """
    _remove_left_behind(path)
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        create(temporary)
        with _locked(temporary) as is_ours:
            if is_ours:
                yield temporary
                return
        # Another writer took it for left behind before it was locked.


def _remove_left_behind(path: Path) -> None:
    """Removes the temporary files and folders beside a path whose writers were killed."""
    name = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}")
    with os.scandir(path.parent) as entries:
        found = [Path(entry) for entry in entries if name.fullmatch(entry.name)]
    for left in found:
        with _locked(left, only_if_free=True) as is_ours:
            if is_ours and left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            elif is_ours:
                left.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(path: Path, *, only_if_free: bool = False) -> Iterator[bool]:
    """Holds the lock of a temporary file or folder. Yields whether it is held.

    Where the file system has no such locks, a writer goes on without one, and what others leave
    behind stays.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # removed meanwhile, or not ours
        yield False
        return
    try:
        yield _lock(number, path, only_if_free)
    finally:
        os.close(number)


def _lock(number: int, path: Path, only_if_free: bool) -> bool:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        is_held = error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
        return not (is_held or only_if_free)
    try:
        return os.path.samestat(os.fstat(number), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _moved_aside(path: Path) -> Iterator[None]:
    """Frees a folder's name; removes the folder at the end."""
    with _temporary_folder(path) as trash:
        with contextlib.suppress(FileNotFoundError):  # another process was first, or it is new
            os.rename(path, trash / path.name)
        yield


def _rename_unless_taken(new: Path, path: Path) -> bool:
    """Renames a folder unless a folder of the final name has content already: then False."""
    try:
        os.rename(new, path)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def _set_modes(folder: Path) -> None:
    """Gives a new folder's content the modes that the umask asks for: libraries make files private.

    The folder itself has such a mode, which tells the umask without changing it for other threads.
    """
    mode = folder.stat().st_mode & 0o777
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(mode if name in folders else mode & 0o666)


def _sync_tree(folder: Path) -> None:
    """Brings a folder's content to the disk, before a rename shows it to others."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with Path(parent, name).open("rb") as file:
                os.fsync(file.fileno())
        _sync_folder(Path(parent))


def _sync_folder(folder: Path) -> None:
    """Makes a rename last; some file systems cannot sync folders."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
