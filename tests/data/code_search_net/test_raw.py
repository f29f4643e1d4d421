"""Raw files that are damaged, odd or locked: one line, or a reason for each row."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from softnce_jax.data.code_search_net.raw import (
    RawShard,
    files_below,
    find_raw,
    read_list,
    read_raw,
)
from softnce_jax.errors import InputError
from tests.data.code_search_net.archives import (
    RAW,
    jsonl,
    parquet,
    row,
    write,
    zenodo_zip,
    zipped,
)

ROWS = RAW["train"]
BAD_LINES = [b"[" * 100_000, b"9" * 5000, b'{"a": "\xff"}', b"[]", b"{x"]


@pytest.fixture
def find(tmp_path):
    def find(files: dict[str, bytes]) -> list[RawShard]:
        return find_raw(files_below(Path(write(tmp_path / "raw", files))), "ruby").shards

    return find


@pytest.mark.parametrize("packed", [False, True])
def test_lines_that_are_no_rows_have_reasons(find, packed):
    content = b"\xef\xbb\xbf" + b"\n".join([*BAD_LINES, jsonl(ROWS), *BAD_LINES])
    name = "train.jsonl.gz" if packed else "train.jsonl"
    (shard,) = find({name: gzip.compress(content) if packed else content})
    found = list(read_raw(shard))
    assert [r for _, r in found if isinstance(r, dict)] == ROWS
    assert [place for place, _ in found[:7]] == [f"{shard.path}:{n}" for n in range(1, 8)]
    assert [r for _, r in found if isinstance(r, str)] == 2 * [
        "malformed JSON: brackets nested too deep",
        "malformed JSON: an integer of too many digits",
        "bytes that are not UTF-8",
        "not a JSON object",
        "malformed JSON: Expecting property name enclosed in double quotes",
    ]


@pytest.mark.parametrize("null", [None, "absent", 5])
def test_the_language_is_looked_for_in_more_than_the_first_row(find, null):
    first = row("train", 0, language=null)
    if null == "absent":
        del first["language"]
    assert len(find({"train.jsonl": jsonl([first, *ROWS[1:]])})) == 1
    # The control: another language.
    assert not find({"train.jsonl": jsonl([first, row("train", 1, language="go")])})


def test_the_language_is_looked_for_in_parquet_too(find):
    first = row("train", 0, language=None)
    assert len(find({"train.parquet": parquet([first, *ROWS[1:]])})) == 1
    assert not find({"train.parquet": parquet([first, row("train", 1, language="go")])})


def test_rows_of_parquet_are_counted_from_the_files_first(tmp_path):
    rows = [row("train", n) for n in range(5)]
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, tmp_path / "train.parquet", row_group_size=2)
    shard = RawShard(tmp_path / "train.parquet", None, (1, 3), "train")
    found = list(read_raw(shard))
    assert [place.rpartition(":")[2] for place, _ in found] == ["3", "4", "5"]
    assert [row["url"] for _, row in found] == [row["url"] for row in rows[2:]]


def test_files_that_are_not_ours_are_left_alone(find):
    other = {"package.json": b'{\n "name": 1\n}', "x.json": b"[" * 100_000, "y.jsonl": b"\xff\n"}
    assert not find(other | {"z.json": json.dumps([1] * 99).encode()})


def test_damage_is_one_line(find):
    whole = gzip.compress(jsonl(ROWS))
    damaged = {
        "train/a.jsonl.gz": [whole[:20], b"\0" * 30, whole[:15] + b"\xff\xff" + whole[17:]],
        "train/a.zip": [zenodo_zip()[:-30], zenodo_zip()[:-9] + b"\0" * 9],
        "train/a.parquet": [parquet(ROWS)[:-9], b"PAR1" * 3],
    }
    for name, contents in damaged.items():
        for content in contents:
            with pytest.raises(InputError, match=f"{name}.*: not a whole ") as error:
                for shard in find({name: content}):
                    list(read_raw(shard))
            assert "\n" not in f"{error.value}"
        find({name: b""})


def test_zips_that_are_locked_or_packed_otherwise(find):
    whole = zipped({"ruby_train_0.jsonl": jsonl(ROWS)})
    (shard,) = find({"train.zip": whole})
    assert [row for _, row in read_raw(shard)] == ROWS
    assert next(read_raw(shard))[0].endswith("train.zip!ruby_train_0.jsonl:1")
    start, directory = whole.index(b"PK\x03\x04"), whole.index(b"PK\x01\x02")
    for offset, value, reason in ((6, 1, "encrypted"), (8, 97, "compression")):
        content = bytearray(whole)
        content[start + offset] = content[directory + offset + 2] = value
        with pytest.raises(InputError, match=rf"train.zip!ruby_train_0.jsonl: .*{reason}"):
            find({"train.zip": bytes(content)})


def test_lists(tmp_path):
    path = tmp_path / "train.txt"
    path.write_bytes(b"\xef\xbb\xbfhttps://a\r\n\n https://b\xe2\x80\xa8c\n")
    assert read_list(path, None) == ["https://a", "https://b\u2028c"]
    path.write_bytes(b"https://a\nhttps://\xff\n")
    with pytest.raises(InputError, match=r"train\.txt:2: bytes that are not UTF-8"):
        read_list(path, None)
    with zipfile.ZipFile(tmp_path / "lists.zip", "w") as archive:
        archive.writestr("ruby/train.txt", "https://a")
    assert read_list(tmp_path / "lists.zip", "ruby/train.txt") == ["https://a"]
