"""Loading: what is joined, what is skipped and counted, what is an error."""

from __future__ import annotations

import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softnce_jax.data.load import load_corpora, read_corpus
from softnce_jax.errors import InputError
from softnce_jax.languages import LANGUAGES
from tests.data.folders import write_folder
from tests.data.hostile import (
    bounded,
    damaged,
    files,
    gzipped,
    lines,
    objects,
    only_input_errors,
    texts,
)
from tests.shared import shared_path


def test_reads_graphcodebert_layout(tmp_path):
    row = {
        "url": "u1",
        "docstring_tokens": ["sort", "a", "list"],
        "docstring": "ignored",
        "code_tokens": ["def", "f", "(", ")"],
        "original_string": "ignored",
    }
    plain = {"url": "u2", "query": " find a file ", "code": "def g(): pass", "family": "files"}
    write_folder(tmp_path / "python", train=[row], valid=[plain], test=[row], codebase=[row, plain])
    corpus = read_corpus(tmp_path, "python")
    assert (corpus.train[0].query, corpus.train[0].code) == ("sort a list", "def f ( )")
    assert (corpus.valid[0].query, corpus.valid[0].family) == ("find a file", "files")
    assert [c.url for c in corpus.codebase] == ["u1", "u2"]
    assert corpus.row_errors.lines() == []


def test_gzip_and_leaf_folder_and_dev_split(tmp_path):
    row = {"url": "u", "docstring": "q", "code": "c"}
    write_folder(tmp_path, codebase=[row], dev=[row])
    for name in ("codebase", "dev"):
        path = tmp_path / f"{name}.jsonl"
        (tmp_path / f"{name}.jsonl.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    corpus = read_corpus(tmp_path, "go")
    assert len(corpus.valid) == 1 and corpus.train == []


GOOD = {"url": "u", "docstring": "query", "code": "code"}
BAD_ROWS = {
    "malformed JSON": b'{"url": "x", ',
    "not a JSON object": b"[1, 2]",
    "no url": json.dumps({"docstring": "q", "code": "c"}).encode(),
    "no query": json.dumps({"url": "u", "code": "c"}).encode(),
    "no code": json.dumps({"url": "u", "docstring": "q"}).encode(),
    "an empty query": json.dumps({"url": "u", "docstring": "  ", "code": "c"}).encode(),
    "an empty code": json.dumps({"url": "u", "docstring": "q", "code": ""}).encode(),
    "bytes that are not UTF-8": b'{"url": "u", "docstring": "\xff", "code": "c"}',
    "the same url and query again": json.dumps(GOOD).encode(),
    "a query whose url has no candidate": json.dumps(GOOD | {"url": "lost"}).encode(),
    "its language is 'java', not 'go'": json.dumps(GOOD | {"language": "java"}).encode(),
}


@pytest.mark.parametrize("reason", BAD_ROWS)
def test_unusable_rows_are_counted_or_errors(tmp_path, reason):
    write_folder(tmp_path, codebase=[GOOD], test=[GOOD])
    with (tmp_path / "test.jsonl").open("ab") as file:
        file.write(BAD_ROWS[reason] + b"\n")
    corpus = read_corpus(tmp_path, "go")
    assert len(corpus.test) == 1
    (line,) = corpus.row_errors.lines()
    assert reason in line and "test.jsonl:2" in line and "skipped 1 row:" in line
    with pytest.raises(InputError, match=r"test\.jsonl:2: ") as error:
        read_corpus(tmp_path, "go", strict=True)
    assert reason in str(error.value) and "\n" not in str(error.value)


def test_duplicate_candidate(tmp_path):
    write_folder(tmp_path, codebase=[GOOD, GOOD | {"code": "other"}], test=[GOOD])
    corpus = read_corpus(tmp_path, "go")
    assert [c.code for c in corpus.codebase] == ["code"]
    with pytest.raises(InputError, match=r"codebase\.jsonl:2: a url that an earlier candidate has"):
        read_corpus(tmp_path, "go", strict=True)


def test_absent_folder_and_files(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        read_corpus(tmp_path / "nowhere", "go")
    with pytest.raises(InputError, match=r"no data here that is known \(it is empty\)"):
        read_corpus(tmp_path, "go")
    write_folder(tmp_path, codebase=[GOOD])
    (tmp_path / "codebase.jsonl.gz").write_bytes(b"")
    with pytest.raises(InputError, match="both exist"):
        read_corpus(tmp_path, "go")


def test_truncated_gzip(tmp_path):
    whole = gzip.compress(json.dumps(GOOD).encode() * 50)
    (tmp_path / "codebase.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="not a whole gzip file"):
        read_corpus(tmp_path, "go")


def test_hash_follows_the_text(tmp_path):
    hashes = set()
    for code in ("a", "b", "a"):
        write_folder(tmp_path, codebase=[GOOD | {"code": code}], test=[GOOD])
        hashes.add(read_corpus(tmp_path, "go").hash())
    assert len(hashes) == 2


def test_sources(tmp_path, monkeypatch):
    monkeypatch.setenv("SOFTNCE_DATA", str(tmp_path))
    corpora, notes = load_corpora("auto", "all")
    assert len(corpora) == len(LANGUAGES) and "embedded sample" in notes[0]
    write_folder(tmp_path / "code_search_net" / "go", codebase=[GOOD], test=[GOOD])
    corpora, notes = load_corpora("auto", "go")
    assert corpora[0].name.endswith("go") and notes == []
    with pytest.raises(InputError, match="unknown language 'cobol'"):
        load_corpora("sample", "cobol")


def as_parquet(rows: list[dict]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


FIELDS = ("url", "query", "docstring_tokens", "code", "code_tokens", "language", "split", "family")
CSV_LINE = st.lists(st.one_of(texts, st.sampled_from(['"', '""', "a,b", "\n"])), max_size=4).map(
    lambda cells: ",".join(cells).encode("utf-8", "surrogatepass")
)
FILES = {
    "pairs.jsonl": files(lines(*FIELDS)),
    "pairs.jsonl.gz": gzipped(files(lines(*FIELDS))),
    "pairs.csv": files(CSV_LINE).map(lambda content: b"query,code,url,language\n" + content),
    "other.csv": files(st.one_of(CSV_LINE, st.binary(max_size=9))),
    "pairs.parquet": damaged(as_parquet([GOOD, GOOD | {"code": "x", "url": None}])),
    "cosqa/cosqa-retrieval-train-1.json": st.one_of(
        st.lists(objects("doc", "code", "label", "retrieval_idx")).map(
            lambda x: json.dumps(x).encode()
        ),
        lines("doc", "code"),
    ),
    "cosqa/code_idx_map.txt": lines("code", "f"),
}


@pytest.mark.parametrize("name", FILES)
def test_whatever_a_file_holds_only_input_errors_come_out(tmp_path, name):
    """And what is read are texts that can be written."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if path.parent != tmp_path:
        (path.parent / "code_idx_map.txt").write_text('{"f": 1}')
        (path.parent / "cosqa-retrieval-train-1.json").write_text('[{"doc": "q", "code": "f"}]')

    @bounded
    @given(FILES[name])
    def read(content):
        path.write_bytes(content)
        for strict in (False, True):
            with only_input_errors(path):
                where = path if path.parent == tmp_path else path.parent
                corpus = read_corpus(where, "python", strict=strict)
                for row in (*corpus.train, *corpus.valid, *corpus.test):
                    assert row.query.strip() and row.code.strip() and row.url.strip()
                    " ".join((row.query, row.code, row.url, row.family or "")).encode()
                "".join(corpus.row_errors.lines()).encode()

    read()


def test_real_layout():
    corpus = read_corpus(shared_path("data/csn_cloze"), "python")
    sizes = [len(corpus.train), len(corpus.valid), len(corpus.test), len(corpus.codebase)]
    assert sizes == [510, 82, 169, 251]
    corpus = read_corpus(shared_path("data/cosqa"), "python")
    assert (len(corpus.valid), len(corpus.codebase)) == (500, 6267)
