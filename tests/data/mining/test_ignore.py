"""Patterns of .gitignore: each rule of git, hostile patterns, and git itself on random trees."""

from __future__ import annotations

import random
import shutil
import subprocess

import pytest

from softnce_jax.data.mining.files import source_files
from softnce_jax.data.mining.ignore import parse_patterns
from softnce_jax.data.mining.report import Counts
from tests.data.mining.trees import write_tree

# Patterns, a path (of a folder if it ends in a slash), whether git ignores it; None: no pattern.
RULES = [
    ("*.py", "a/b.py", True),
    ("*.py\n!b.py", "a/b.py", False),
    ("!b.py\n*.py", "a/b.py", True),
    ("*\n!*/", "a/", False),
    ("*\n!*/", "a", True),
    ("a/**\n!a/b/", "a/b/", False),
    ("a/", "a", None),
    ("a/", "b/a/", True),
    ("/a", "b/a", None),
    ("a/b", "c/a/b", None),
    ("a/*", "a/b", True),
    ("a/*", "a/b/c", None),
    ("**/a", "b/c/a", True),
    ("**/a", "a", True),
    ("a/**/b", "a/b", True),
    ("a/**/b", "a/c/d/b", True),
    ("a/**", "a/", None),
    ("a**b", "axb", True),
    ("a**/b", "ax/b", True),
    ("a?c", "abc", True),
    ("a?c", "a/c", None),
    ("a?", "aé", None),
    ("a??", "aé", True),
    ("[a-c]x", "bx", True),
    ("[!a-c]x", "bx", None),
    ("[^a-c]x", "dx", True),
    ("[]a]", "]", True),
    ("[[:digit:]]", "7", True),
    ("[[:digit:]]", "a", None),
    ("[[:none:]]", "a", None),
    ("[a", "[a", None),
    ("\\#a", "#a", True),
    ("#a", "#a", None),
    ("\\!a", "!a", True),
    ("a\\", "a", None),
    ("a  ", "a", True),
    ("a\\ ", "a ", True),
    ("a\t", "a", None),
    ("a\r", "a", True),
    ("\ufeffa", "a", True),
    ("a\u2028b", "b", None),
    ("a\x0bb", "b", None),
    ("", "a", None),
    ("!", "a", None),
    ("/", "a", None),
    ("a//b", "a/b", None),
    ("*-*-*-*-*.tmp", "1-2-3-4-5.tmp", True),
]


@pytest.mark.parametrize(("text", "path", "ignored"), RULES)
def test_rules_of_git(text, path, ignored):
    patterns = parse_patterns(text.encode())
    assert patterns.excludes(path.rstrip("/").encode(), is_folder=path.endswith("/")) is ignored


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 120 + "b", "a" * 250),
        ("**/" * 500 + "x", "a/" * 2_000 + "y"),
        ("**/a/" * 300 + "x", "a/" * 2_000 + "y"),
        ("[a-z]*" * 120 + "0", "a" * 250),
        ("**/*a*a*a*b/" * 100 + "x", "aaaaaaaaaaaaaaaaa/" * 200 + "y"),
        ("a**" * 100 + "/b", "a" * 200 + "/c"),
    ],
)
def test_hostile_patterns_take_no_time(pattern, path):
    assert parse_patterns(pattern.encode()).excludes(path.encode(), is_folder=False) is None


def test_folders_taken_back_are_read(tmp_path):
    """The file that lists what is kept, and one that takes a folder back."""
    write_tree(
        tmp_path,
        {
            "only/.gitignore": "*\n!*/\n!*.py\n",
            "only/lib/a.py": "x",
            "back/.gitignore": "in/**\n!in/b/\n!in/b/c.py\n",
            "back/in/o.py": "x",
            "back/in/b/c.py": "x",
            "back/in/b/o.py": "x",
        },
    )
    names = [source.name for source in source_files(str(tmp_path), "python", Counts())]
    assert names == ["back/in/b/c.py", "only/lib/a.py"]


PIECES = (
    *("a", "b", "ab", "*", "**", "?", "[ab]", "[!a]", "[^b]", "[a-c]", "*.py", "a*", "*b"),
    *("\\a", "\\*", "é", "[[:alpha:]]", "***", "a b", "x.py", "*a*b*", " ", "[]a]", "[a", "a\\ "),
)
FOLDERS = ("a", "b", "ab", "c", "a b", "é", "abc", "]a", "aXb")
FILES = ("x.py", "a.py", "b.py", "ab.py", "é.py", " .py", "[a.py", "*.py", "\\.py")


def random_pattern(rng: random.Random) -> str:
    segments = [
        "**" if rng.random() < 0.25 else "".join(rng.choices(PIECES, k=rng.choice([1, 1, 1, 2])))
        for _ in range(rng.choice([1, 1, 1, 2, 2, 3, 4]))
    ]
    pattern = "/" * (rng.random() < 0.2) + "/".join(segments) + "/" * (rng.random() < 0.3)
    ending = rng.choice([" ", "\t", "\\ ", "\r"]) if rng.random() < 0.1 else ""
    return "!" * (rng.random() < 0.3) + pattern + ending


def random_tree(rng: random.Random) -> dict[str, str]:
    folders = [""]
    for _ in range(rng.randint(2, 7)):
        folders.append(f"{rng.choice(folders)}{rng.choice(FOLDERS)}/")
    files = {folder + name: "x" for folder in folders for name in rng.sample(FILES, 3)}
    for folder in folders:
        if not folder or rng.random() < 0.3:
            lines = [random_pattern(rng) for _ in range(rng.randint(1, 4))]
            mark = "\ufeff" if rng.random() < 0.1 else ""
            files[f"{folder}.gitignore"] = mark + "\n".join(lines) + "\n" * (rng.random() < 0.8)
    return files


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_random_trees_are_read_as_git_reads_them(tmp_path):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    kept = 0
    for seed in range(500):
        tree = tmp_path / str(seed)
        write_tree(tree, random_tree(random.Random(seed)))
        listed = subprocess.run(
            ["git", "ls-files", "-z", "-o", "--exclude-standard"],
            cwd=tree,
            capture_output=True,
            check=True,
        )
        names = {name for name in listed.stdout.decode().split("\0") if name.endswith(".py")}
        assert {s.name for s in source_files(str(tree), "python", Counts())} == names, seed
        kept += len(names)
        shutil.rmtree(tree)
    assert kept > 1_000
