"""Preparing from every form of the data, by hand and over networks that fail."""

from __future__ import annotations

import ast
import json
import random
import re
import tempfile
from pathlib import Path

import pytest
import tensorflow_datasets as tfds

import softnce_jax
from softnce_jax.data.code_search_net import code_search_net_dataset_builder as builder
from softnce_jax.data.code_search_net import published
from softnce_jax.data.code_search_net.published import PROTOCOL, VERSION
from softnce_jax.data.corpus import Candidate, Pair
from softnce_jax.data.load import load_corpora
from softnce_jax.errors import InputError
from tests.data.code_search_net import archives
from tests.data.code_search_net.archives import LISTS, RAW, write
from tests.data.server import file_path, info_path

ROWS = {row["url"]: row for rows in RAW.values() for row in rows}
RECORD = 7857872
GRAPHCODEBERT = "/microsoft/CodeBERT/raw/HEAD/GraphCodeBERT/codesearch/dataset.zip"
CLAUDIOS = "claudios/code_search_net"
OFFICIAL = "code-search-net/code_search_net"
CLEANED = "google/code_x_glue_ct_code_to_text"


def pairs(split: str) -> list[Pair]:
    """What a split must be: the rows of its list, in its order.

    Tokens joined by spaces, and the functions as they were written.
    """
    rows = [ROWS[url] for url in LISTS[split]]
    return [
        Pair(
            " ".join(r["docstring_tokens"]), " ".join(r["code_tokens"]), r["url"], "ruby",
            source=r["original_string"],
        )
        for r in rows
    ]  # fmt: skip


def assert_published(corpus) -> None:
    assert list(corpus.train) == pairs("train")
    assert list(corpus.valid) == pairs("valid")
    assert list(corpus.test) == pairs("test")
    expected = [Candidate(p.code, p.url, "ruby", source=p.source) for p in pairs("codebase")]
    assert list(corpus.codebase) == expected
    assert corpus.protocol == PROTOCOL and not corpus.notes


def load():
    (corpus,), notes = load_corpora("auto", "ruby")
    assert notes == [f"ruby: {note}" for note in corpus.notes]
    return corpus


LOCAL = {
    "zips": {"ruby.zip": archives.zenodo_zip(), "dataset.zip": archives.dataset_zip()},
    "zips elsewhere": {"a/x.zip": archives.zenodo_zip(), "b/y": archives.dataset_zip()},
    "unpacked gzip": {
        f"ruby/final/jsonl/{split}/ruby_{split}_0.jsonl.gz": archives.gzip.compress(
            archives.jsonl(rows)
        )
        for split, rows in RAW.items()
    }
    | {f"dataset/{name}": text for name, text in archives.list_texts().items()},
    "unpacked lines": {
        f"ruby/final/jsonl/{split}/ruby_{split}_0.jsonl": archives.jsonl(rows)
        for split, rows in RAW.items()
    }
    | archives.list_texts(),
    "Parquet": archives.hub_parquet() | archives.list_texts(),
    "Parquet of the mirror": archives.converted_parquet() | {"z.zip": archives.dataset_zip()},
}


@pytest.mark.parametrize("form", LOCAL)
def test_from_a_folder(run, tmp_path, data, form):
    folder = write(tmp_path / "by_hand", LOCAL[form])
    messages = run(folder=folder)
    version = data / "code_search_net" / "ruby" / VERSION
    counts = "15 train, 5 validation, 5 test, 18 codebase, as published"
    assert messages[-1] == f"ruby: {counts}: {version}"
    assert_published(load())
    assert not list((data / "downloads").rglob("*.array_record"))


def test_every_form_gives_the_same_data(run, tmp_path, monkeypatch):
    hashes = set()
    for n, files in enumerate(LOCAL.values()):
        monkeypatch.setenv("SOFTNCE_DATA", str(tmp_path / f"data{n}"))
        run(folder=write(tmp_path / f"by_hand{n}", files))
        hashes.add(load().hash())
    assert len(hashes) == 1
    for field, text in (("code_tokens", ["x"]), ("original_string", "x")):
        changed = RAW | {"test": [archives.row("test", n, **{field: text}) for n in range(10)]}
        files = {"r.zip": archives.zenodo_zip(changed), "d.zip": archives.dataset_zip()}
        monkeypatch.setenv("SOFTNCE_DATA", str(tmp_path / field))
        run(folder=write(tmp_path / f"{field}_by_hand", files))
        hashes.add(load().hash())
    assert len(hashes) == 3


def put_lists(server) -> None:
    server.files[GRAPHCODEBERT] = archives.dataset_zip()


def test_nothing_is_left_in_the_folder_for_temporary_files(tmp_path, monkeypatch):
    """TFDS would make one to ask its bucket for a description, which is not there."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    builder.Builder(config="go", data_dir=tmp_path / "data")
    assert not list(tmp_path.glob("*tfds"))


def test_from_the_first_source(run, server, data):
    server.add_dataset(CLAUDIOS, "main", archives.hub_parquet(archives.HUB_NAMES))
    put_lists(server)
    assert len(run()) == 2  # what was left out, and what there is
    assert_published(load())
    asked = len(server.asked)
    (data / "code_search_net" / "ruby" / VERSION / "softnce.json").unlink()
    for path in (data / "code_search_net" / "ruby" / VERSION).iterdir():
        path.unlink()
    (data / "code_search_net" / "ruby" / VERSION).rmdir()
    run()
    assert len(server.asked) == asked  # what was fetched is used again, and nobody asked


def test_dead_sources_are_a_line_each_and_the_next_is_tried(run, server):
    files = archives.hub_parquet()
    server.add_dataset(CLAUDIOS, "main", files)
    path = "ruby/test-00000-of-00001.parquet"
    server.files[file_path(CLAUDIOS, path)] = files[path][:-9] + b"damaged" * 9
    server.add_dataset(OFFICIAL, "refs/convert/parquet", archives.converted_parquet())
    server.faults[info_path(OFFICIAL, "refs/convert/parquet")] = [("status", 403)]
    archives.on_zenodo(server, RECORD, {"ruby.zip": archives.zenodo_zip(), "go.zip": b"other"})
    for name, text in archives.list_texts().items():
        commit = "8e8979dcf1a953fc3c98f1dccb66f7416cdb98b0"
        server.files[f"/DeepSoftwareAnalytics/CoCoSoDa/{commit}/dataset/{name}"] = text
    messages = run()
    assert_published(load())
    size = len(files[path])
    assert messages[:3] == [
        f"ruby: the Hub's {CLAUDIOS} failed: test-00000-of-00001.parquet: {size + 54:,} bytes "
        f"instead of {size:,}",
        f"ruby: the Hub's {OFFICIAL} (refs/convert/parquet) failed: HTTP 403",
        "ruby: GraphCodeBERT's dataset.zip failed: HTTP 404",
    ]


def test_a_mirror_whose_names_lead_out_of_the_downloads_is_refused(run, server, data):
    content = archives.hub_parquet()["ruby/train-00000-of-00001.parquet"]
    server.add_dataset(CLAUDIOS, "main", {"ruby/../../../../../evil.parquet": content})
    archives.on_zenodo(server, RECORD, {"ruby.zip": archives.zenodo_zip()})
    put_lists(server)
    first, *_ = run()
    assert first.startswith(f"ruby: the Hub's {CLAUDIOS} failed: ")
    assert "is not the name of a file below" in first
    assert not list(data.parent.rglob("evil.parquet*"))
    assert_published(load())


def test_a_listing_of_an_unknown_form_is_a_line(run, server):
    server.files[info_path(CLAUDIOS, "main")] = b'{"siblings": [1]}'
    server.files[f"/api/records/{RECORD}"] = b'{"files": null}'
    server.add_dataset(OFFICIAL, "main", {"data/ruby.zip": archives.zenodo_zip()})
    put_lists(server)
    messages = run()
    for name in (f"the Hub's {CLAUDIOS}", f"Zenodo record {RECORD}"):
        assert f"ruby: {name} failed: a listing of an unknown form" in messages
    assert_published(load())


@pytest.mark.parametrize("form", ["converted", "zenodo", "hub zip"])
def test_each_further_source(run, server, form):
    if form == "converted":
        server.add_dataset(OFFICIAL, "refs/convert/parquet", archives.converted_parquet())
    elif form == "zenodo":
        archives.on_zenodo(server, RECORD, {"ruby.zip": archives.zenodo_zip()})
    else:
        server.add_dataset(OFFICIAL, "main", {"data/ruby.zip": archives.zenodo_zip()})
    put_lists(server)
    run()
    assert_published(load())


def test_a_transfer_with_every_fault_at_once(run, server):
    noise = random.Random(0).randbytes(20_000).hex()  # so that there is something to break off
    rows = {split: [*rows, archives.row("x", 0, sha=noise)] for split, rows in RAW.items()}
    archives.on_zenodo(server, RECORD, {"ruby.zip": archives.zenodo_zip(rows)})
    path = f"/api/records/{RECORD}/files/ruby.zip/content"
    faults = [("status", 503), ("cut", 20_000), ("status", 500), ("stall", 20_000), ("status", 429)]
    server.faults[path] = faults
    put_lists(server)
    run()
    assert_published(load())


def test_a_mirror_without_candidates_is_told(run, server, data):
    kept = {
        split: [row for row in rows if row["url"] in LISTS[split]] for split, rows in RAW.items()
    }
    files = {
        f"ruby/{name}-00000-of-00001.parquet": archives.parquet(kept[split])
        for split, name in (("train", "train"), ("valid", "validation"), ("test", "test"))
    }
    server.add_dataset(CLEANED, "main", files)
    put_lists(server)
    messages = run()
    assert "ruby: not as published: codebase 10 instead of 18" in messages
    assert len([line for line in messages if "not as published" in line]) == 1
    corpus = load()
    assert list(corpus.test) == pairs("test")
    assert corpus.protocol == (
        f"{PROTOCOL}, but codebase 10 instead of 18: not the published protocol"
    )
    assert corpus.notes == (corpus.protocol,)


def test_when_all_are_dead_it_says_what_to_fetch(run, server, data):
    with pytest.raises(InputError) as error:
        run()
    message = str(error.value)
    for name in (CLAUDIOS, OFFICIAL, f"records/{RECORD}", CLEANED, "--from FOLDER"):
        assert name in message
    archives.on_zenodo(server, RECORD, {"ruby.zip": archives.zenodo_zip()})
    with pytest.raises(InputError, match=r"(?s)lists of urls.*microsoft/CodeBERT.*CoCoSoDa"):
        run()
    put_lists(server)
    run()
    assert_published(load())


def test_lists_by_hand_and_functions_from_the_network(run, server, tmp_path):
    archives.on_zenodo(server, RECORD, {"ruby.zip": archives.zenodo_zip()})
    run(folder=write(tmp_path / "by_hand", archives.list_texts()))
    assert_published(load())


def test_an_interrupted_preparing_goes_on(run, by_hand, monkeypatch, data):
    made = []
    real = builder.make_shard

    def interrupted(shard, **where):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(shard.member)
        real(shard, **where)

    monkeypatch.setattr(builder, "make_shard", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(folder=by_hand)
    assert not (data / "code_search_net" / "ruby" / VERSION).exists()

    def counted(shard, **where):
        made.append(shard.member)
        real(shard, **where)

    monkeypatch.setattr(builder, "make_shard", counted)
    assert "ruby: 2 of 4 shards were done before" in run(folder=by_hand)
    assert len(made) == len(set(made)) == 4
    assert_published(load())
    assert not (data / "downloads" / "code_search_net" / "ruby-parts").exists()
    assert not list((data / "code_search_net" / "ruby").glob("*incomplete*"))


def test_a_shard_that_is_not_whole_is_named(run, tmp_path, data):
    files = dict(LOCAL["unpacked gzip"])
    name = "ruby/final/jsonl/valid/ruby_valid_0.jsonl.gz"
    whole = files[name]
    files[name] = whole[:-20]
    folder = write(tmp_path / "by_hand", files)
    with pytest.raises(InputError, match=re.escape(name) + ": not a whole gzip file"):
        run(folder=folder)
    assert not list((data / "downloads").rglob(".*"))  # nothing half-written
    write(tmp_path / "by_hand", {name: whole})
    assert "ruby: 2 of 3 shards were done before" in run(folder=folder)
    assert_published(load())


def test_counts_that_differ_are_told_with_both_numbers(run, by_hand, monkeypatch):
    monkeypatch.setitem(published.COUNTS, "ruby", (15, 6, 5, 19))
    messages = run(folder=by_hand)
    assert [line for line in messages if "published" in line] == [
        "ruby: not as published: validation 5 instead of 6",
        "ruby: not as published: codebase 18 instead of 19",
    ]
    assert load().protocol.endswith(
        "but validation 5 instead of 6; codebase 18 instead of 19: not the published protocol"
    )


def test_of_functions_with_one_url_the_last_counts(run, tmp_path):
    first = RAW["train"][0]
    again = {**first, "docstring_tokens": ["another", "text", "."]}
    raw = RAW | {"train": [*RAW["train"], again]}
    files = {"r.zip": archives.zenodo_zip(raw), "d.zip": archives.dataset_zip()}
    run(folder=write(tmp_path / "by_hand", files))
    (pair,) = (pair for pair in load().train if pair.url == first["url"])
    assert pair.query == "another text ." and len(load().train) == 15


def test_by_rules(run, tmp_path):
    train = [
        archives.row("train", 0),
        archives.row("train", 1, docstring_tokens=["too", "short"]),
        archives.row("train", 2, code="def f(", original_string="def f("),
        archives.row("train", 3, docstring_tokens=["siehe", "auch", "die", "andere", "Funktion"]),
        archives.row("train", 4, docstring_tokens=["see", "https", ":", "//example.org"]),
        archives.row("train", 0),
        {"url": "https://github.com/none", "language": "ruby"},
        archives.row("train", 5, language="go"),
    ]
    test = [archives.row("test", 0), archives.row("test", 1, docstring_tokens=[])]
    test.append(archives.row("test", 2, code="def f("))
    raw = {"train": train, "valid": [archives.row("valid", 0)], "test": test}
    messages = run(
        folder=write(tmp_path / "by_hand", {"r.zip": archives.zenodo_zip(raw)}), select="rules"
    )
    corpus = load()
    assert [pair.url for pair in corpus.train] == [train[0]["url"]]
    assert [pair.url for pair in corpus.test] == [test[0]["url"]]
    assert {c.url for c in corpus.codebase} == {
        raw["valid"][0]["url"], test[0]["url"], test[1]["url"]
    }  # fmt: skip
    assert corpus.protocol == "CodeSearchNet, cleaned by rules: not the published protocol"
    assert not [line for line in messages if "as published" in line]
    # Each reason with the line of its first row, by the rules of the reader.
    for place, line in {
        "test_0.jsonl.gz:3": "left out 2: code that does not parse",
        "train_1.jsonl.gz:3": "left out 1: a row without code",
        "train_1.jsonl.gz:4": "left out 1: its language is 'go'",
    }.items():
        (said,) = [message for message in messages if line in message]
        assert f" (first: {tmp_path}/by_hand/r.zip!" in said and said.endswith(f"{place})")


def test_what_is_prepared_stays(run, by_hand, tmp_path, monkeypatch):
    run(folder=by_hand)
    monkeypatch.setattr(builder, "make_shard", None)
    assert len(run()) == 1
    with pytest.raises(InputError, match="was prepared with --select lists: remove it"):
        run(select="rules")


def test_a_split_without_functions_is_an_error(run, tmp_path):
    raw = RAW | {"test": [archives.row("test", n, url=f"other{n}") for n in range(3)]}
    files = {"r.zip": archives.zenodo_zip(raw), "d.zip": archives.dataset_zip()}
    with pytest.raises(InputError, match="ruby: no function for test in what is there"):
        run(folder=write(tmp_path / "by_hand", files))


def test_bad_flags(run, tmp_path):
    with pytest.raises(InputError, match="unknown language 'cobol'"):
        run(lang="cobol")
    with pytest.raises(InputError, match="no such folder"):
        run(folder=str(tmp_path / "absent"))
    split_already = {"a/codebase.jsonl": archives.jsonl(RAW["test"])}
    with pytest.raises(InputError, match="--data FOLDER"):
        run(folder=write(tmp_path / "mine", split_already))


def test_of_all_languages_those_that_can_be_had(run, by_hand, server):
    with pytest.raises(InputError) as error:
        run(lang="all", folder=by_hand)
    assert "functions of go" in str(error.value) and "of ruby" not in str(error.value)
    assert_published(load())


def test_models_are_fetched_by_the_same_command(run, by_hand, monkeypatch):
    asked = []

    def locate(name, *, revision, download):
        asked.append((name, revision, download))
        return Path("cache") / name

    monkeypatch.setattr("softnce_jax.pretrained.hub.locate", locate)
    messages = run(folder=by_hand, encoder="unixcoder,someone/model,tiny")
    assert asked == [
        ("microsoft/unixcoder-base", "refs/pr/5", True), ("someone/model", "main", True)
    ]  # fmt: skip
    assert messages[0] == "unixcoder: cache/microsoft/unixcoder-base"


def test_tfds_reads_it_by_name(run, by_hand, data):
    run(folder=by_hand)
    source = tfds.data_source("code_search_net/ruby", split="validation", data_dir=data)
    first = ROWS[LISTS["valid"][0]]
    found = source[0]
    assert set(found) == {
        "url", "repo", "path", "func_name", "language",
        "original_string", "code", "code_tokens", "docstring", "docstring_tokens",
    }  # fmt: skip
    for name, value in found.items():
        texts = value if isinstance(first[name], list) else [value]
        assert (
            b"\0".join(texts)
            == "\0".join(first[name] if isinstance(first[name], list) else [first[name]]).encode()
        )
    assert sorted(builder.Builder.builder_configs) == sorted(published.COUNTS)
    info = tfds.builder("code_search_net/ruby", data_dir=data).info
    assert "GraphCodeBERT" in info.description and "husain2019" in info.citation


def test_nothing_imports_tensorflow():
    for path in Path(softnce_jax.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] == "tensorflow"], path


def test_the_description_is_json(run, by_hand, data):
    run(folder=by_hand)
    about = json.loads((data / "code_search_net/ruby" / VERSION / "softnce.json").read_text())
    assert about["counts"] == dict(zip(published.SPLITS, archives.COUNTS, strict=True))
    assert all(len(digest) == 64 for digest in about["sha256"].values())
