"""From a tree to a folder that training reads: what is in it, and that it is always the same."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from softnce_jax.data.load import read_corpus
from softnce_jax.data.mining import files, mine
from softnce_jax.errors import InputError
from tests.data.mining.test_dedup import THRESHOLD, jaccard
from tests.data.mining.trees import ruby_function, ruby_tree, write_tree


def mined(tree: Path, out: Path, **flags) -> Path:
    return mine.mine(str(tree), language="ruby", out=str(out), **flags)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_what_is_mined_is_what_training_reads(tmp_path, caplog):
    tree = ruby_tree(tmp_path / "tree", files=20, each=5)
    folder = mined(tree, tmp_path / "data")
    corpus = read_corpus(tmp_path / "data", "ruby", strict=True)
    pairs = [*corpus.train, *corpus.valid, *corpus.test]
    assert len({pair.url for pair in pairs}) == 100
    assert [len(s) for s in (corpus.train, corpus.valid, corpus.test)] == [80, 10, 10]
    pool = {candidate.url: candidate.code for candidate in corpus.codebase}
    assert pool == {pair.url: pair.code for pair in (*corpus.valid, *corpus.test)}
    for pair in pairs:
        name, lines = pair.url.split("#")
        first, last = (int(line[1:]) for line in lines.split("-"))
        text = (tree / name).read_text().split("\n")
        assert "\n".join(text[first - 1 : last]) == pair.code
        assert text[first - 2] == f"# {pair.query}"
    assert not corpus.row_errors.count
    assert set(contents(folder)) == {
        *("train.jsonl", "valid.jsonl", "test.jsonl", "codebase.jsonl", "report.json")
    }
    assert "100 functions" in caplog.text and "--data" in caplog.text


def test_no_file_is_in_two_splits(tmp_path):
    mined(ruby_tree(tmp_path / "tree", files=20, each=5), tmp_path / "data")
    corpus = read_corpus(tmp_path / "data", "ruby")
    names = [{p.url.split("#")[0] for p in s} for s in (corpus.train, corpus.valid, corpus.test)]
    assert sum(map(len, names)) == 20


def test_near_duplicates_are_never_split(tmp_path):
    """Each function has a copy in another file, with one word changed."""
    texts = {}
    for n in range(60):
        text = ruby_function(n)
        texts[f"a/{n}.rb"] = text
        texts[f"b/{(n * 7) % 60}.rb"] = text.replace("number", "copy").replace(f"_{n}_0", "_x")
    mined(write_tree(tmp_path / "tree", texts), tmp_path / "data", processes=1)
    corpus = read_corpus(tmp_path / "data", "ruby")
    splits = (corpus.train, corpus.valid, corpus.test)
    assert sum(map(len, splits)) == 120
    split_of = {pair.url: at for at, split in enumerate(splits) for pair in split}
    by_number = {}
    for pair in (pair for split in splits for pair in split):
        by_number.setdefault(pair.code.split("\n")[0], []).append(pair)
    for one, other in by_number.values():
        assert 1 > jaccard(one.code, other.code) > THRESHOLD
        assert split_of[one.url] == split_of[other.url]
    report = json.loads((tmp_path / "data" / "ruby" / "report.json").read_text())
    numbers = {"groups": 60, "functions in them": 120, "the largest": 2}
    assert report["near-duplicates"] == numbers


def test_exact_duplicates_and_boilerplate_are_dropped(tmp_path):
    tree = ruby_tree(tmp_path / "tree", files=20, each=5)
    first = ruby_function(0)
    spaced = first.replace("Adds", "Really adds").replace("  ", "\t ")
    boilerplate = ruby_function(500).split("\n", 1)[1]
    query = first.split("\n", 1)[0].upper()
    write_tree(tree, {"z/a.rb": spaced, "z/b.rb": f"{query}\n{boilerplate}"})
    mined(tree, tmp_path / "data")
    report = json.loads((tmp_path / "data" / "ruby" / "report.json").read_text())
    assert report["functions"]["kept"] == 100
    assert report["functions"]["dropped"] == {
        "a duplicate": {"count": 1, "first": "z/a.rb#L2-L8"},
        "the documentation of another function": {"count": 1, "first": "z/b.rb#L2-L8"},
    }


def test_the_report_adds_up(tmp_path):
    tree = ruby_tree(tmp_path / "tree")
    write_tree(tree, {"vendor/a.rb": "x", "a_test.rb": "x", "big.rb": b"x" * 1_000_001})
    write_tree(tree, {"c.rb": "def c\n  1\nend\n", "d.rb": "def (\n" + ruby_function(900)})
    write_tree(tree, {".git/config": '[remote "origin"]\n\turl = https://a:b@host.org/c.git\n'})
    folder = mined(tree, tmp_path / "data")
    report = json.loads((folder / "report.json").read_text())
    for kind in ("files", "folders", "functions"):
        dropped = sum(reason["count"] for reason in report[kind]["dropped"].values())
        assert report[kind]["found"] == report[kind]["kept"] + dropped
    assert report["files"]["kept"] == 22 and report["files"]["with broken syntax"] == 1
    assert report["files"]["dropped"]["a test"] == {"count": 1, "first": "a_test.rb"}
    pairs = report["pairs"]
    assert pairs["train"] + pairs["valid"] + pairs["test"] == report["functions"]["kept"]
    assert pairs["candidates"] == pairs["valid"] + pairs["test"]
    assert report["remote"] == "https://host.org/c.git"


def test_nothing_depends_on_place_processes_or_order_of_the_disk(tmp_path, monkeypatch):
    one = mined(ruby_tree(tmp_path / "a" / "tree"), tmp_path / "one")
    tree = ruby_tree(tmp_path / "b" / "tree")
    monkeypatch.setattr(mine, "CHUNK", 3)
    monkeypatch.setattr(files.os, "scandir", Backwards)
    two = mined(tree, tmp_path / "two")
    written = [contents(folder) for folder in (one, two)]
    reports = [json.loads(each.pop("report.json")) for each in written]
    assert written[0] == written[1]
    for report in reports:
        del report["path"]
    assert reports[0] == reports[1]


class Backwards:
    """os.scandir from its end."""

    def __init__(self, path, scandir=os.scandir):
        with scandir(path) as found:
            self.entries = iter(list(found)[::-1])

    def __enter__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.entries)

    def __exit__(self, *error):
        return None


@pytest.mark.slow
def test_processes_find_what_one_finds(tmp_path):
    tree = ruby_tree(tmp_path / "tree")
    one = contents(mined(tree, tmp_path / "one", processes=1))
    assert contents(mined(tree, tmp_path / "two", processes=2)) == one


def test_splits_by_folder(tmp_path):
    tree = ruby_tree(tmp_path / "tree", files=40, each=5)
    for n in range(5):
        (tree / f"lib{n}" / ".git").mkdir()
    mined(tree, tmp_path / "data", split_by="folder")
    corpus = read_corpus(tmp_path / "data", "ruby")
    folders = [{p.url.split("/")[0] for p in s} for s in (corpus.train, corpus.valid, corpus.test)]
    assert sorted(map(len, folders)) == [1, 1, 3]


BAD = {
    "language": ({"language": "cobol"}, "unknown language 'cobol'"),
    "folder": ({"path": "nowhere"}, "nowhere: no such folder"),
    "address": ({"path": "https://a.org/b.git"}, "clone it first"),
    "empty": ({"path": "empty"}, "0 pairs; training and testing need at least 50"),
    "few": ({"path": "few"}, "12 pairs; .* at least 50"),
    "why": ({"path": "why"}, "of 3 functions 3 were dropped for: no documentation"),
    "other language": ({"language": "go", "path": "few"}, "0 pairs"),
    "written already": ({"out": "there"}, "ruby exists: remove it"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ruby_tree(tmp_path / "tree")
    ruby_tree(tmp_path / "few", files=3)
    (tmp_path / "empty").mkdir()
    write_tree(tmp_path / "why", {"a.rb": "def a\n 1\nend\n" * 3})
    (tmp_path / "there" / "ruby").mkdir(parents=True)
    flags, message = BAD[case]
    with pytest.raises(InputError, match=message) as raised:
        mine.mine(**({"path": "tree", "language": "ruby", "out": "out"} | flags))
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()
    assert not list((tmp_path / "there" / "ruby").iterdir())


def test_of_two_runs_into_one_folder_the_second_fails(tmp_path, monkeypatch):
    tree, real = ruby_tree(tmp_path / "tree"), mine._mine_into

    def overtaken(*args):
        monkeypatch.setattr(mine, "_mine_into", real)
        mined(tree, tmp_path / "out")
        return real(*args)

    monkeypatch.setattr(mine, "_mine_into", overtaken)
    with pytest.raises(InputError, match=r"ruby exists: remove it or choose another --out") as e:
        mined(tree, tmp_path / "out")
    assert "\n" not in str(e.value) and os.listdir(tmp_path / "out") == ["ruby"]
    assert "train.jsonl" in contents(tmp_path / "out" / "ruby")


def test_an_interruption_leaves_nothing(tmp_path, monkeypatch):
    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(mine, "functions", stop)
    with pytest.raises(KeyboardInterrupt):
        mined(ruby_tree(tmp_path / "tree"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://host.org/a/b.git", "https://host.org/a/b.git"),  # negative control
        ("https://me:s3@host.org:8/a.git?token=s3#s3", "https://host.org:8/a.git"),
        ("https://me:s3@s3@host.org/a", "https://host.org/a"),
        ("https://me:s3/s3@host.org/a", None),
        ("https://me:1/s3@host.org/a", None),
        ("https://me:s3#s3@host.org/a", None),
        ("https://me:1#s3@host.org/a", None),
        ("ssh://s3@[::1]:22/a", "ssh://[::1]:22/a"),
        ("s3:s3@host.org:a/b.git?s3", "host.org:a/b.git"),
        ("../a@b", "../a@b"),
        ("https://host.org/\x1b[2J", "https://host.org/\\x1b[2J"),
    ],
)
@pytest.mark.parametrize("quote", ["", '"'])
def test_no_secret_of_a_remote_is_kept(url, kept, quote):
    assert mine._origin(f'[remote "origin"]\n\turl = {quote}{url}{quote}\n') == kept


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_a_configuration_that_is_no_file_is_not_read(kind, tmp_path):
    config = tmp_path / ".git" / "config"
    config.parent.mkdir()
    {
        "pipe": lambda: os.mkfifo(config),
        "device": lambda: config.symlink_to("/dev/zero"),
        "folder": config.mkdir,
    }[kind]()
    assert mine._remote(str(tmp_path)) is None


def test_trees_and_data_in_the_home_folder(tmp_path, monkeypatch):
    """As of `--out=~/out`, which no shell expands."""
    monkeypatch.setenv("HOME", str(tmp_path))
    ruby_tree(tmp_path / "tree")
    folder = mine.mine("~/tree", language="ruby", out="~/out")
    assert folder == tmp_path / "out" / "ruby"
    assert json.loads((folder / "report.json").read_text())["path"] == "~/tree"
    assert read_corpus("~/out", "ruby").hash() == read_corpus(tmp_path / "out", "ruby").hash()
