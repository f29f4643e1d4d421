"""Which files of a tree are read: names, .gitignore, and trees that mean harm."""

from __future__ import annotations

import os

import pytest

from softnce_jax.data.mining.files import (
    LARGEST_GITIGNORE,
    read_regular,
    read_source,
    source_files,
)
from softnce_jax.data.mining.report import Counts
from tests.data.mining.trees import write_tree


def found(root, language="ruby"):
    """The names of the files that are read, and the reasons for the others by name."""
    counts = Counts()
    names = [s.name for s in source_files(str(root), language, counts)]
    reasons = {location: reason for (_, reason), location in counts.first.items()}
    return names, reasons


NAMES = [
    ("ruby", "lib/sort.rb", None),
    ("ruby", "lib/sort.py", "another language"),
    ("ruby", "vendor/a/sort.rb", "vendored"),
    ("ruby", "vendor_ruby/sort.rb", None),
    ("ruby", "test/sort.rb", "a test"),
    ("ruby", "a_test/sort.rb", "a test"),
    ("ruby", "contest/sort.rb", None),
    ("ruby", "spec/sort.rb", "a test"),
    ("java", "java/security/spec/KeySpec.java", None),
    ("ruby", "sort_spec.rb", "a test"),
    ("ruby", "spec_sort.rb", None),
    ("ruby", ".hidden/sort.rb", "hidden"),
    ("javascript", "node_modules/a/index.js", "vendored"),
    ("javascript", "third_party/a.js", "vendored"),
    ("javascript", "dist/a.js", "vendored"),
    ("javascript", "distance/a.js", None),
    ("javascript", "a.min.js", "generated"),
    ("javascript", "admin.js", None),
    ("javascript", "a.spec.js", "a test"),
    ("javascript", "a.test.mjs", "a test"),
    ("javascript", "__tests__/a.js", "a test"),
    ("go", "sort_test.go", "a test"),
    ("go", "testing.go", None),
    ("go", "api.pb.go", "generated"),
    ("go", "zz_generated.deepcopy.go", "generated"),
    ("python", "test_sort.py", "a test"),
    ("python", "conftest.py", "a test"),
    ("python", "latest.py", None),
    ("python", "site-packages/a.py", "vendored"),
    ("python", "api_pb2.py", "generated"),
    ("java", "SortTest.java", "a test"),
    ("java", "TestSort.java", "a test"),
    ("java", "SortIT.java", "a test"),
    ("java", "Testimony.java", None),
    ("java", "MONITOREXIT.java", None),
    ("php", "SortTest.php", "a test"),
    ("php", "Latest.php", None),
]


@pytest.mark.parametrize(("language", "name", "reason"), NAMES)
def test_names(language, name, reason, tmp_path):
    names, reasons = found(write_tree(tmp_path, {name: "x = 1"}), language)
    assert names == ([name] if reason is None else [])
    assert list(reasons.values()) == ([reason] if reason not in (None, "another language") else [])


def test_a_virtual_environment_is_vendored_whatever_its_name(tmp_path):
    write_tree(tmp_path, {"my/pyvenv.cfg": "", "my/lib/a.py": "x", "ours/lib/a.py": "x"})
    assert found(tmp_path, "python") == (["ours/lib/a.py"], {"my": "vendored"})


def test_gitignore_as_git_has_it(tmp_path):
    tree = {
        ".gitignore": "*.tmp.rb\n!keep.tmp.rb\n/build\nout/\n# c.rb\n\n",
        "lib/.gitignore": "*.rb\n!b.rb\n!x.tmp.rb\n",
        **{
            name: "x = 1"
            for name in (
                *("a.tmp.rb", "keep.tmp.rb", "build/a.rb", "src/build/a.rb", "src/out/a.rb"),
                *("c.rb", "lib/a.rb", "lib/b.rb", "lib/x.tmp.rb", "d.rb"),
            )
        },
    }
    names, reasons = found(write_tree(tmp_path, tree))
    assert names == ["c.rb", "d.rb", "keep.tmp.rb", "lib/b.rb", "lib/x.tmp.rb", "src/build/a.rb"]
    assert set(reasons.values()) == {"ignored by .gitignore"}
    (tmp_path / ".gitignore").unlink()
    assert "a.tmp.rb" in found(tmp_path)[0]


def test_gitignore_of_the_repository_around_it(tmp_path):
    write_tree(tmp_path, {".gitignore": "a.rb", "sub/a.rb": "x", "sub/b.rb": "x"})
    assert found(tmp_path / "sub")[0] == ["a.rb", "b.rb"]
    (tmp_path / ".git").mkdir()
    assert found(tmp_path / "sub")[0] == ["b.rb"]
    (tmp_path / ".gitignore").write_text("sub\na.rb")  # what is asked for is not ignored
    assert found(tmp_path / "sub")[0] == ["a.rb", "b.rb"]


@pytest.mark.parametrize("line", ["*a" * 60, "!", "//", "[", "\\", "**/**/**", "\udcff*"])
def test_hostile_gitignore(line, tmp_path):
    text = f"{line}\nb.rb\n".encode("utf-8", "surrogateescape")
    write_tree(tmp_path, {".gitignore": text, "a" * 200 + ".rb": "x", "b.rb": "x"})
    assert "b.rb" not in found(tmp_path)[0]


def test_nothing_of_a_repository_is_run(tmp_path):
    """Its configuration and hooks name a program; git itself would start it."""
    ran = tmp_path / "ran"
    program = f"#!/bin/sh\ntouch {ran}\n"
    config = (
        f'[core]\n\tfsmonitor = {tmp_path}/tree/evil\n[remote "origin"]\n\turl = https://a.org/b\n'
    )
    write_tree(
        tmp_path / "tree",
        {
            ".git/config": config,
            ".git/HEAD": "ref: refs/heads/main\n",
            ".git/hooks/post-index-change": program,
            "evil": program,
            "a.rb": f"# Runs it.\nsystem('touch {ran}')\n",
        },
    )
    (tmp_path / "tree" / "evil").chmod(0o755)
    assert found(tmp_path / "tree")[0] == ["a.rb"]
    assert not ran.exists()


def test_links_and_odd_files_are_not_followed(tmp_path):
    write_tree(tmp_path, {"tree/lib/a.rb": "x = 1", "outside/secret.rb": "x = 1"})
    tree = tmp_path / "tree"
    (tree / "lib" / "loop").symlink_to(tree)
    (tree / "out").symlink_to(tmp_path / "outside")
    (tree / "secret.rb").symlink_to(tmp_path / "outside" / "secret.rb")
    (tree / "gone.rb").symlink_to(tree / "nowhere")
    os.mkfifo(tree / "pipe.rb")
    counts = Counts()
    names = [s.name for s in source_files(str(tree), "ruby", counts)]
    assert names == ["lib/a.rb"]
    assert counts.dropped["files", "a link"] == counts.dropped["folders", "a link"] == 2
    assert counts.dropped["files", "no regular file"] == 1


def test_what_is_no_regular_file_is_not_opened_to_wait(tmp_path):
    """A pipe never ends to be opened, a device never ends to be read."""
    write_tree(tmp_path, {"a.rb": "x", "lib/a.rb": "x", "lib/sub/a.rb": "x"})
    os.mkfifo(tmp_path / ".gitignore")
    (tmp_path / "lib" / ".gitignore").symlink_to("/dev/zero")
    (tmp_path / "lib" / "sub" / ".gitignore").mkdir()
    assert found(tmp_path)[0] == ["a.rb", "lib/a.rb", "lib/sub/a.rb"]
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "a.rb")
    for name in ("pipe", "lib/.gitignore", "lib", "link"):
        with pytest.raises(OSError):
            read_regular(str(tmp_path / name), 10)
    assert read_regular(str(tmp_path / "a.rb"), 10) == b"x"


def test_a_source_that_became_a_pipe_is_unreadable(tmp_path):
    write_tree(tmp_path, {"a.rb": "x"})
    (source,) = source_files(str(tmp_path), "ruby", Counts())
    (tmp_path / "a.rb").unlink()
    os.mkfifo(tmp_path / "a.rb")
    assert read_source(source) == (None, "unreadable")


def test_a_gitignore_larger_than_the_limit_is_not_read(tmp_path):
    write_tree(tmp_path, {"a.rb": "x", ".gitignore": "a.rb\n" + "#" * LARGEST_GITIGNORE})
    assert found(tmp_path)[0] == ["a.rb"]
    write_tree(tmp_path, {".gitignore": "a.rb\n" + "#" * (LARGEST_GITIGNORE - 5)})
    assert found(tmp_path)[0] == []


def test_deep_folders_and_odd_names(tmp_path):
    deep = "/".join(["d"] * 900) + "/a.rb"
    write_tree(tmp_path, {deep: "x"})
    with open(os.path.join(os.fsencode(tmp_path), b"caf\xe9.rb"), "w") as file:
        file.write("x")
    assert found(tmp_path)[0] == ["caf\\xe9.rb", deep]


CONTENTS = {
    "x = 1\n": None,
    "": "empty",
    " \n\t\n": "empty",
    "x = 1\0\n": "binary",
    "x = 'caf\udce9'\n": "not UTF-8",
    "\udcff\udcfex\n": "not UTF-8",
    "x = 'café'\r\n": None,
    "\ufeffx = 1\n": None,
    "x = 1; " * 60: "lines of more than 200 bytes in the mean",
    "x = 1; " * 60 + "\n" * 9: None,
    "// Code generated by protoc. DO NOT EDIT.\n": "generated",
    "# This file is automatically generated.\n": "generated",
    "# Generated by a tool\n": "generated",
    " * @generated\n": "generated",
    "# Reads what was generated by a tool\n": None,
    "#\n" * 2000 + "# Generated by a tool\n": None,
}


@pytest.mark.parametrize(("text", "reason"), CONTENTS.items())
def test_contents(text, reason, tmp_path):
    write_tree(tmp_path, {"a.rb": text.encode("utf-8", "surrogateescape")})
    data, why = read_source(next(source_files(str(tmp_path), "ruby", Counts())))
    assert why == reason
    if reason is None:
        assert data.decode() == text.replace("\r\n", "\n").removeprefix("\ufeff")


def test_large_and_unreadable_files(tmp_path):
    write_tree(tmp_path, {"big.rb": b"x" * 20_000_000, "gone.rb": "x"})
    big, gone = source_files(str(tmp_path), "ruby", Counts())
    (tmp_path / "gone.rb").unlink()
    assert read_source(big) == (None, "larger than 1 MB")
    assert read_source(gone) == (None, "unreadable")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_files_and_folders_that_may_not_be_read(tmp_path):
    write_tree(tmp_path, {"a.rb": "x", "locked/b.rb": "x"})
    (tmp_path / "a.rb").chmod(0)
    (tmp_path / "locked").chmod(0)
    counts = Counts()
    (source,) = source_files(str(tmp_path), "ruby", counts)
    (tmp_path / "locked").chmod(0o755)
    assert counts.dropped["folders", "unreadable"] == 1
    assert read_source(source) == (None, "unreadable")


def test_repositories_are_folders_with_git_or_those_below_the_root(tmp_path):
    tree = {
        "a.rb": "x",
        "one/a.rb": "x",
        "one/sub/a.rb": "x",
        "two/in/.git/HEAD": "",
        "two/a.rb": "x",
    }
    write_tree(tmp_path, tree | {"two/in/lib/a.rb": "x"})
    sources = source_files(str(tmp_path), "ruby", Counts())
    assert {source.name: source.repository for source in sources} == {
        "a.rb": ".",
        "one/a.rb": "one",
        "one/sub/a.rb": "one",
        "two/a.rb": "two",
        "two/in/lib/a.rb": "two/in",
    }
