"""Files are whole or not there, of the usual permissions, with safe names; and all go through here.

What a kill leaves is tested by processes that end themselves without any cleaning up.
"""

from __future__ import annotations

import ast
import contextlib
import errno
import fcntl
import functools
import hashlib
import json
import math
import os
import re
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from softnce_jax import files
from softnce_jax.errors import InputError
from softnce_jax.files import (
    append_line,
    discard_folder,
    file_digest,
    json_text,
    lock,
    open_part,
    printable,
    publish,
    read_json,
    safe_join,
    safe_name,
    to_path,
    whole_file,
    whole_file_path,
    whole_folder,
    write_bytes,
    write_json,
    write_text,
)

PACKAGE = Path(__file__).resolve().parents[1] / "softnce_jax"


def killed(program: str, folder: Path) -> None:
    """Runs a program in a folder that ends by os._exit, as a kill ends one."""
    source = "import os\nfrom softnce_jax.files import *\n" + textwrap.dedent(program)
    status = subprocess.run([sys.executable, "-c", source], cwd=folder).returncode
    assert status == 9


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_a_file_is_written_and_its_folders_made(tmp_path):
    path = tmp_path / "a" / "b.txt"
    with whole_file(path, "w") as file:
        file.write("übung\n")
        assert not path.exists()
    assert path.read_bytes() == "übung\n".encode()
    write_bytes(str(path), b"new")
    assert path.read_bytes() == b"new" and os.listdir(path.parent) == ["b.txt"]
    write_text(path, "text")
    assert path.read_text() == "text"


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), whole_file(path) as file:
        file.write(b"half")
        1 / 0  # noqa: B018
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["a"]


def test_a_kill_before_the_rename_leaves_the_old_file(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    killed("with whole_file('a') as f: f.write(b'new'); f.flush(); os._exit(9)", tmp_path)
    assert (tmp_path / "a").read_bytes() == b"old" and visible(tmp_path) == ["a"]
    assert len(os.listdir(tmp_path)) == 2  # the kill came when there was another, hidden one
    killed("os.replace = lambda *_: os._exit(9)\nwrite_bytes('a', b'new')", tmp_path)
    assert (tmp_path / "a").read_bytes() == b"old" and visible(tmp_path) == ["a"]
    killed("write_bytes('a', b'new')\nos._exit(9)", tmp_path)
    assert (tmp_path / "a").read_bytes() == b"new"


KILLED = {
    "file": "with whole_file('a') as f: os._exit(9)",
    "file of a library": "with whole_file_path('a') as p: p.write_text('x'); os._exit(9)",
    "folder": "with whole_folder('a') as f: write_text(f / 'b', 'x'); os._exit(9)",
    "replaced folder": "os.mkdir('a'); import softnce_jax.files as f\n"
    "with f._moved_aside(f.to_path('a')): os._exit(9)",
}


def write_folder(path: Path) -> None:
    with whole_folder(path, replace=True):
        pass


@pytest.mark.parametrize("left", KILLED)
@pytest.mark.parametrize("write", [lambda path: write_text(path, "new"), write_folder])
def test_what_a_killed_writer_left_goes_with_the_next_one(left, write, tmp_path):
    killed(KILLED[left], tmp_path)
    (left_behind,) = os.listdir(tmp_path)
    assert re.fullmatch(r"\.a\.[0-9a-f]{8}", left_behind)
    others = [".a.0a1b2c3", ".a.0a1b2c3d4", ".b.0a1b2c3d", ".aa.0a1b2c3d", "a.0a1b2c3d"]
    for name in others:  # none of ours
        (tmp_path / name).touch()
    (tmp_path / ".a.00000000").symlink_to(tmp_path / "a.0a1b2c3d")
    write(tmp_path / "a")
    assert sorted(os.listdir(tmp_path)) == sorted([*others, ".a.00000000", "a"])


def test_what_a_live_writer_has_stays(tmp_path):
    """Of this process or another one, however old it looks."""
    path = tmp_path / "a"
    program = """
    with whole_folder('a') as folder, whole_file('a') as file:
        print(flush=True)
        input()
        write_text(folder / 'c', 'whole')
        os._exit(0)
    """
    source = "import os\nfrom softnce_jax.files import *\n" + textwrap.dedent(program)
    options = {"cwd": tmp_path, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", source], **options) as process:
        process.stdout.readline()
        others = set(os.listdir(tmp_path))
        assert len(others) == 2
        for name in others:
            os.utime(tmp_path / name, (0, 0))
        with whole_file(path) as file:
            file.write(b"first")
            write_bytes(path, b"second")
            assert {*os.listdir(tmp_path)} > others | {"a"}
        assert path.read_bytes() == b"first"
        assert {*os.listdir(tmp_path)} == others | {"a"}
        process.communicate(b"\n")
    assert process.returncode == 0
    write_bytes(path, b"third")
    assert os.listdir(tmp_path) == ["a"]


def test_where_there_are_no_locks_nothing_is_removed(tmp_path, monkeypatch):
    (tmp_path / ".a.0a1b2c3d").touch()

    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    write_bytes(tmp_path / "a", b"new")
    assert sorted(os.listdir(tmp_path)) == [".a.0a1b2c3d", "a"]


def test_a_writer_that_is_taken_for_killed_takes_another_name(tmp_path, monkeypatch):
    """Between the making of a temporary file and its lock, another writer may remove it."""
    tokens = iter(["00000000", "11111111"])
    monkeypatch.setattr(files.secrets, "token_hex", lambda _: next(tokens))
    real = files._lock

    def removed_first(number, path, only_if_free):
        if path.name.endswith("00000000"):
            path.unlink()
        return real(number, path, only_if_free)

    monkeypatch.setattr(files, "_lock", removed_first)
    write_bytes(tmp_path / "a", b"whole")
    assert (tmp_path / "a").read_bytes() == b"whole" and next(tokens, None) is None


def test_bytes_are_on_the_disk_before_the_name(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace", "rename"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *a, name=name, real=real: (calls.append(name), real(*a))[1]
        )
    write_bytes(tmp_path / "a", b"content")
    assert calls == ["fsync", "replace", "fsync"]
    calls.clear()
    with whole_folder(tmp_path / "folder") as new:
        (new / "inner").mkdir()
        (new / "inner" / "b").write_bytes(b"content")
    assert calls == ["fsync"] * 3 + ["rename", "fsync"]  # two folders and a file, then the parent


def test_a_folder_is_there_whole_or_not_at_all(tmp_path):
    with whole_folder(tmp_path / "made" / "here") as new:
        (new / "a").write_text("1")
        assert visible(tmp_path / "made") == []
    assert os.listdir(tmp_path / "made") == ["here"]
    with pytest.raises(ZeroDivisionError), whole_folder(tmp_path / "failed") as new:
        (new / "a").write_text("1")
        1 / 0  # noqa: B018
    assert os.listdir(tmp_path) == ["made"]


def test_a_kill_leaves_no_half_folder(tmp_path):
    program = "with whole_folder('f'{}) as new: write_text(new / 'a', '{}'){}"
    killed(program.format("", "half", "; os._exit(9)"), tmp_path)
    assert visible(tmp_path) == []
    killed(program.format("", "old", "\nos._exit(9)"), tmp_path)
    killed(program.format(", replace=True", "half", "; os._exit(9)"), tmp_path)
    assert visible(tmp_path) == ["f"] and (tmp_path / "f" / "a").read_text() == "old"


def test_the_first_folder_of_a_name_stays_unless_it_is_replaced(tmp_path):
    for text, options in (("first", {}), ("second", {}), ("third", {"replace": True})):
        with whole_folder(tmp_path / "f", **options) as new:
            write_text(new / text, text)
        assert os.listdir(tmp_path) == ["f"]
        assert os.listdir(tmp_path / "f") == ["third" if options else "first"]
    with whole_folder(tmp_path / "new", replace=True) as new:
        write_text(new / "a", "1")
    assert sorted(os.listdir(tmp_path)) == ["f", "new"]
    (tmp_path / "empty").mkdir()
    with whole_folder(tmp_path / "empty") as new:
        write_text(new / "a", "1")
    assert os.listdir(tmp_path / "empty") == ["a"]


def test_a_second_exclusive_folder_is_an_error(tmp_path):
    with whole_folder(tmp_path / "f", exclusive=True) as new:
        write_text(new / "first", "1")
    with pytest.raises(FileExistsError), whole_folder(tmp_path / "f", exclusive=True) as new:
        write_text(new / "second", "2")
    assert os.listdir(tmp_path) == ["f"] and os.listdir(tmp_path / "f") == ["first"]


def test_a_file_of_the_name_is_an_error(tmp_path):
    (tmp_path / "f").write_text("a file")
    with pytest.raises(NotADirectoryError), whole_folder(tmp_path / "f"):
        pass
    assert os.listdir(tmp_path) == ["f"] and (tmp_path / "f").read_text() == "a file"


def read_both(folder: Path, *, may_go: bool) -> bool:
    """Whether the two files of a folder could be read; raises if they are of two processes."""
    held = os.open(folder, os.O_RDONLY)
    opener = functools.partial(os.open, dir_fd=held)
    try:
        texts = []
        for name in "ab":
            with open(name, opener=opener) as file:
                texts.append(file.read())
        assert texts[0] == texts[1]
    except FileNotFoundError:  # replaced, and removed while it was read
        assert may_go
        return False
    finally:
        os.close(held)
    return True


@pytest.mark.parametrize("options", ["", ", replace=True"], ids=["first stays", "replace"])
def test_processes_publish_one_folder(options, tmp_path):
    """Each writes two files that agree; whichever folder a reader meets, it is of one process."""
    program = f"""
    import sys
    from softnce_jax.files import whole_folder, write_text
    for n in range(50):
        with whole_folder("f"{options}) as new:
            for name in "ab":
                write_text(new / name, sys.argv[1] + str(n))
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    running = [subprocess.Popen([*command, name], cwd=tmp_path) for name in ("one ", "two ")]
    met = 0
    while any(process.poll() is None for process in running):
        with contextlib.suppress(FileNotFoundError):
            met += read_both(tmp_path / "f", may_go=bool(options))
    assert [process.returncode for process in running] == [0, 0]
    assert met and os.listdir(tmp_path) == ["f"] and len(os.listdir(tmp_path / "f")) == 2


def test_two_writers_of_one_process_do_not_share_a_name(tmp_path):
    with whole_file(tmp_path / "a") as first, whole_file(tmp_path / "a") as second:
        first.write(b"first")
        second.write(b"second")
    assert (tmp_path / "a").read_bytes() == b"first"


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o002])
def test_permissions_are_those_of_open_and_mkdir(mask, tmp_path):
    old = os.umask(mask)
    try:
        write_bytes(tmp_path / "ours", b"")
        (tmp_path / "usual").open("wb").close()
        with whole_folder(tmp_path / "our folder"):
            pass
        (tmp_path / "usual folder").mkdir()
    finally:
        os.umask(old)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes["ours"] == modes["usual"] == 0o666 & ~mask
    assert modes["our folder"] == modes["usual folder"] == 0o777 & ~mask


def test_a_discarded_folder(tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "a").write_text("1")
    with (tmp_path / "f" / "a").open() as held:
        discard_folder(tmp_path / "f")
        assert held.read() == "1"
    discard_folder(tmp_path / "f")  # another process was first
    assert os.listdir(tmp_path) == []


def test_json_comes_back(tmp_path):
    path = tmp_path / "a.json"
    for value in ({"a": [1, "ü\n", None]}, os.fsdecode(b"latin-1: \xfc"), "\udc80\\u0041"):
        write_json(path, value)
        assert read_json(path) == value
        assert json.loads(path.read_bytes().decode("utf-8")) == value
    write_json(path, {"a": "ü"})
    assert path.read_text("utf-8") == '{\n  "a": "ü"\n}\n'


def test_what_is_no_number_is_null(tmp_path):
    """JSON has no NaN: other readers than Python's refuse it."""
    path, numbers = tmp_path / "a.json", [math.nan, math.inf, -np.inf, np.float64("nan"), 1e308, 5]
    write_json(path, {"a": numbers, "b": (math.nan, {"c": math.nan}), "NaN": "NaN"})
    value = json.loads(path.read_text("utf-8"), parse_constant=pytest.fail)
    assert value == {"a": [None] * 4 + [1e308, 5], "b": [None, {"c": None}], "NaN": "NaN"}
    assert json_text(math.nan) == "null" and json_text([0.1]) == "[0.1]"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        (b"{", "Expecting property name"),
        (b"\xff", "'utf-8' codec can't decode byte 0xff"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_what_is_no_json_is_told_in_a_line(content, reason, tmp_path):
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.json: missing or not JSON") as caught:
        read_json(path)
    assert reason in str(caught.value) and "\n" not in str(caught.value)
    assert str(caught.value).count(str(path)) == 1


def test_lines_are_appended(tmp_path):
    for line in ("a", "ü"):
        append_line(tmp_path / "log", line)
    assert (tmp_path / "log").read_text("utf-8") == "a\nü\n"


def test_a_lock_is_held_between_processes(tmp_path):
    filelock = pytest.importorskip("filelock")
    program = "from softnce_jax.files import lock\nwith lock('a.lock', timeout=0): print('held')"
    command = [sys.executable, "-c", program]
    with lock(tmp_path / "a.lock"):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode and filelock.Timeout.__name__ in done.stderr
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).stdout == b"held\n"


def test_digests(tmp_path):
    (tmp_path / "a").write_bytes(b"bytes" * 100_000)
    for algorithm in ("sha256", "sha1"):
        expected = hashlib.new(algorithm, b"bytes" * 100_000).hexdigest()
        assert file_digest(tmp_path / "a", algorithm) == expected


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "...", "a/b", "../../etc/passwd", "a\0b", "a\nb", "\x1b[31m", "~", "C:\\a"],
)
def test_names_made_of_hostile_text(text, tmp_path):
    name = safe_name(text)
    (tmp_path / name).write_text("1")
    assert os.listdir(tmp_path) == [name] and printable(name) == name


def test_names_keep_what_is_harmless():
    assert safe_name("codebert-1.5_x+y") == "codebert-1.5_x+y"
    assert safe_name("naïve Größe") == "naïve_Größe"


OUTSIDE = ["..", "../x", "a/../../x", "/etc/passwd", "", ".", "a/..", "a\0b", "//x"]


@pytest.mark.parametrize("folder", ["downloads", ".", "", "/data/x", "..", "~"])
@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_lead_out_of_a_folder(folder, name):
    with pytest.raises(InputError, match="is not the name of a file below") as caught:
        safe_join(folder, name)
    assert "\0" not in str(caught.value) and "\n" not in str(caught.value)


def test_names_below_a_folder():
    assert safe_join("downloads", "a/./b.zip") == Path("downloads/a/b.zip")
    assert safe_join(".", "a/../b") == Path("b")
    assert safe_join("/x", "..a") == Path("/x/..a")
    assert safe_join("/", "a") == Path("/a")
    assert safe_join("downloads", "~") == Path("downloads/~")


def test_a_path_is_the_same_for_all_modules():
    """Where one module expanded ~ and another did not, a run would lie in two folders."""
    home = Path(os.path.expanduser("~"))
    assert to_path("~/x") == home / "x" == to_path(Path("~/x")) and to_path("~") == home
    for plain in ("a/~", "./a~", "~nobody-of-this-name/x"):
        assert to_path(plain) == Path(plain)


# What `Path` is made of outside of files.py: no name that a user gives.
NOT_USERS = {
    "sys.argv[0]", "__file__", "temporary", "part", "remote.name", "config['encoder']",  # names
    "self.data_dir", "builder.data_dir", "dl_manager.download_dir",  # of data_folder()
    "template.sharded_filepath", "snapshot_download", "HfApi", "root",  # absolute
}  # fmt: skip


def paths_made(source: str) -> list[str]:
    """What the calls of `Path` and of `expanduser` in a source are given."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [
        ast.unparse(call.args[0]) if call.args else "expanduser"
        for call in calls
        if ast.unparse(call.func) == "Path" or ast.unparse(call.func).endswith("expanduser")
    ]


def test_what_a_user_names_goes_through_to_path():
    """`Path(config.out)` in a module would be another folder than files.py's."""
    found = {
        (path.name, made.partition("(")[0])
        for path in PACKAGE.rglob("*.py")
        if path != PACKAGE / "files.py" and "sample" not in path.parent.parent.name
        for made in paths_made(path.read_text("utf-8"))
    }
    assert {made for _, made in found} <= NOT_USERS, found
    assert paths_made("Path(config.out); Path('~').expanduser()") == [
        "config.out",
        "expanduser",
        "'~'",
    ]


def test_text_for_a_terminal():
    hostile = ["\x1b]0;title\x07", "a\rb", "\x9b31m", "\u202eelif", "\u2066", "\u200f", "\x7f"]
    for text in [*hostile, os.fsdecode(b"\xff")]:
        shown = printable(text)
        assert shown.isprintable() and "\\" in shown
        shown.encode()
    assert printable("naïve 日本語 ع\tx\ny") == "naïve 日本語 ع\tx\ny"


def test_a_file_that_a_library_writes_by_its_name(tmp_path):
    path = tmp_path / "a" / "b.txt"
    with whole_file_path(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists() and temporary.parent == path.parent
    assert path.read_text() == "whole" and visible(path.parent) == ["b.txt"]
    with pytest.raises(ZeroDivisionError), whole_file_path(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "whole" and len(list(path.parent.iterdir())) == 1


def test_a_part_is_continued_and_published(tmp_path):
    part, path = tmp_path / "a.part", tmp_path / "a"
    for content, append in ((b"old", False), (b"ab", False), (b"cd", True)):
        with open_part(part, append=append) as file:
            file.write(content)
    publish(part, path)
    assert path.read_bytes() == b"abcd" and os.listdir(tmp_path) == ["a"]


# Modules that write by other means, and why that is safe.
MAY_WRITE = {
    # Libraries that open their files themselves, inside the whole_folder of export_model.
    "pretrained/export.py": {"safetensors.numpy.save_file", "config.save_pretrained",
                             "generic.save_pretrained"},
    "pretrained/sentence_transformers.py": {"safetensors.numpy.save_file"},
    # Inside a whole_file_path.
    "data/code_search_net/shards.py": {"ArrayRecordWriter"},
    # Orbax has temporary names of its own, and checksums of each leaf show damage.
    "train/checkpoint.py": {"ocp.CheckpointManager"},
    # A copy of metrics.jsonl, made anew of it where a kill may have cut it.
    "train/tensorboard.py": {"SummaryWriter"},
}  # fmt: skip
WRITERS = {"replace", "rename", "save", "savez", "savez_compressed", "save_file", "move",
           "copyfile", "copy2", "copytree", "mkstemp", "mkdtemp"}  # fmt: skip
MODULES = {"os", "shutil", "tempfile", "np", "numpy", "safetensors.numpy"}
ANYONES = {"write_text", "write_bytes", "touch", "symlink_to", "savefig", "save_pretrained",
           "ArrayRecordWriter", "CheckpointManager", "SummaryWriter", "open_memmap"}  # fmt: skip


def writes(source: str) -> list[str]:
    """The calls of a source that create, change or rename a file, by line: `12 os.replace`."""
    tree = ast.parse(source)
    # `with whole_file(...) as file`: what a third-party writer then puts into it.
    whole = {
        ast.unparse(item.optional_vars)
        for node in ast.walk(tree)
        if isinstance(node, ast.With)
        for item in node.items
        if item.optional_vars and ast.unparse(item.context_expr).startswith("whole_file(")
    }
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if node.args and ast.unparse(node.args[0]) in whole:
            continue
        called = ast.unparse(node.func)
        owner, _, name = called.rpartition(".")
        if name == "open":
            # A mode is the text of letters among the arguments; a name or a path has others.
            given = [*node.args, *(word.value for word in node.keywords if word.arg == "mode")]
            texts = [text.value for text in given if isinstance(text, ast.Constant)]
            modes = {
                text for text in texts if isinstance(text, str) and set(text) <= set("rwxabt+")
            }
            modes |= {c.value for g in given if isinstance(g, ast.IfExp) for c in (g.body, g.orelse)
                      if isinstance(c, ast.Constant)}  # fmt: skip
            is_write = any(set(mode) & set("wxa+") for mode in modes)
        else:
            of_module = name in WRITERS and owner in MODULES
            # `write_text(path, ...)`, without an owner, is that of files.py.
            is_write = of_module or (name in ANYONES and (owner or not hasattr(files, name)))
        if is_write:
            found.append(f"{node.lineno} {called}")
    return found


def modules() -> list[Path]:
    sample = PACKAGE / "data" / "sample"
    return [p for p in sorted(PACKAGE.rglob("*.py")) if sample not in p.parent.parents]


def test_only_files_writes_files():
    assert len(modules()) > 80
    elsewhere = {}
    for path in modules():
        name = path.relative_to(PACKAGE).as_posix()
        allowed = MAY_WRITE.get(name, set())
        found = writes(path.read_text("utf-8"))
        left = [call for call in found if call.split()[1] not in allowed]
        if left and name != "files.py":
            elsewhere[name] = left
        assert {call.split()[1] for call in found} >= allowed, f"{name}: no longer needed"
    assert not elsewhere


def test_writes_are_seen():
    source = """
    open(p, "w"); open(p, mode="ab"); p.open("x"); gzip.open(p, "wb"); p.open("ab" if old else "wb")
    p.write_text("a"); os.replace(a, b); np.savez(p); safetensors.numpy.save_file(t, p)
    with whole_file(p) as whole: np.savez(whole, **arrays)
    open(p); open("data"); p.open("rb"); "a".replace("b", "c"); dataclasses.replace(a); np.load(p)
    """
    seen = [call.split()[1] for call in writes(textwrap.dedent(source))]
    assert seen == ["open", "open", "p.open", "gzip.open", "p.open", "p.write_text", "os.replace",
                    "np.savez", "safetensors.numpy.save_file"]  # fmt: skip
    assert writes((PACKAGE / "files.py").read_text("utf-8"))


def test_the_public_names():
    assert all(hasattr(files, name) for name in files.__all__)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640)])
def test_files_in_a_folder_have_the_modes_of_the_umask(tmp_path, umask, mode):
    """Whatever a library gives them, safetensors 0600 for one."""
    old = os.umask(umask)
    try:
        with whole_folder(tmp_path / "folder") as new:
            (new / "sub").mkdir(mode=0o700)
            for path in (new / "private", new / "sub/program"):
                path.touch()
                path.chmod(0o600 if path.name == "private" else 0o777)
            (new / "link").symlink_to("/etc/hostname")
    finally:
        os.umask(old)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "folder").rglob("*")}
    assert modes["private"] == modes["program"] == mode
    assert modes["sub"] == 0o777 & ~umask


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_an_error_of_a_full_disk_names_the_file(number, tmp_path):
    path = tmp_path / "a"
    with pytest.raises(OSError) as raised, files.whole_file(path):
        raise OSError(number, "as of a write")
    assert raised.value.filename == (f"{path}" if number == errno.ENOSPC else None)
    assert os.listdir(tmp_path) == []
