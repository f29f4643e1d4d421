"""One rule in every format for what is absent or odd; files that are damaged, packed or too large.

What is not to be read stands among rows that are, so each test sees that those are kept.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import tracemalloc
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from softnce_jax.data import rows
from softnce_jax.data.corpus import MOST_REASONS, RowErrors
from softnce_jax.data.load import read_corpus
from softnce_jax.data.rows import lines_of, name_of, read_rows, shown_names, text_of
from softnce_jax.errors import InputError

GOOD = [{"url": f"u{n}", "query": f"query {n}", "code": f"code {n}"} for n in range(3)]


def as_jsonl(folder: Path, rows: list[dict]) -> Path:
    path = folder / "pairs.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def as_gzip(folder: Path, rows: list[dict]) -> Path:
    path = folder / "pairs.jsonl.gz"
    path.write_bytes(gzip.compress(as_jsonl(folder, rows).read_bytes()))
    return path


def as_csv(folder: Path, rows: list[dict]) -> Path:
    path = folder / "pairs.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, dict.fromkeys(name for row in rows for name in row))
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_parquet(folder: Path, rows: list[dict]) -> Path:
    pq.write_table(as_table(rows), folder / "pairs.parquet")
    return folder / "pairs.parquet"


def as_datasets(folder: Path, rows: list[dict]) -> Path:
    datasets = pytest.importorskip("datasets", reason="Hugging Face datasets is not installed")
    datasets.Dataset(as_table(rows)).save_to_disk(str(folder / "pairs"))
    return folder / "pairs"


def as_table(rows: list[dict]) -> pa.Table:
    """The rows as a table; a column holds bytes where text is not UTF-8, as Arrow allows."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = [[row.get(name) for row in rows] for name in names]
    return pa.table([as_column(column) for column in columns], names)


def as_column(values: list) -> pa.Array:
    if not any(isinstance(value, bytes) for value in values):
        return pa.array(values)
    coded = [value.encode() if isinstance(value, str) else value for value in values]
    array = pa.array(coded, pa.binary())
    return pa.StringArray.from_buffers(len(array), *array.buffers()[1:], array.buffers()[0])


FORMATS = [as_jsonl, as_gzip, as_csv, as_parquet, as_datasets]


@pytest.fixture(params=FORMATS, ids=lambda write: write.__name__)
def read(request, tmp_path):
    """Writes rows in a format and reads them as a table, all of it training data."""

    def read(odd: list[dict], good: list[dict] = GOOD, **options):
        whole = [row | {"split": "train"} for row in (*good, *odd)]
        return read_corpus(request.param(tmp_path, whole), "python", **options)

    return read


def test_null_and_empty_are_absent(read):
    names = ("url", "func_code_url", "language", "family")
    odd = [
        {"query": "q", "code": f"def f{n}(): ..."} | dict.fromkeys(names, value)
        for n, value in enumerate((None, "", "  "))
    ]
    corpus = read(odd, strict=True)
    assert len(corpus.train) == 6
    assert all(pair.url.startswith("code:") for pair in corpus.train[3:])
    assert len({pair.url for pair in corpus.train[3:]}) == 3
    assert {(pair.language, pair.family) for pair in corpus.train} == {("python", None)}
    # The control: a language and a url that are given count.
    other = read([GOOD[0] | {"language": "go", "url": "x"}])
    assert other.row_errors.count == {"its language is 'go', not 'python'": 1}
    assert [pair.url for pair in other.train] == ["u0", "u1", "u2"]


def test_a_language_in_capitals_is_the_language(read):
    assert len(read([{"query": "q", "code": "c", "language": "Python"}], strict=True).train) == 4


def test_numbers_are_names(read):
    numbered = [row | {"url": n, "family": n % 2} for n, row in enumerate(GOOD)]
    corpus = read([], numbered, strict=True)
    assert [(p.url, p.family) for p in corpus.train] == [("0", "0"), ("1", "1"), ("2", "0")]


def test_splits_are_looked_for_in_all_rows(tmp_path):
    """Null in the first row, in Parquet; absent from it, in JSON lines; a list, in one."""
    whole = [GOOD[0], *({**row, "partition": "test"} for row in GOOD[1:])]
    for write in FORMATS:
        corpus = read_corpus(write(tmp_path, whole), "python")
        assert (len(corpus.train), len(corpus.test)) == (0, 2), write
        assert [*corpus.row_errors.count] == [
            "a partition that is none of train, valid, dev, validation, test, codebase"
        ]
    path = as_jsonl(tmp_path, [GOOD[0] | {"split": ["test"]}, GOOD[1] | {"split": "Test"}])
    corpus = read_corpus(path, "python")
    assert len(corpus.test) == 1 and corpus.row_errors.count.total() == 1
    # The control: no row names one.
    drawn = read_corpus(as_jsonl(tmp_path, [row | {"split": None} for row in GOOD]), "python")
    assert "drew 80 %" in drawn.notes[0] and not drawn.row_errors.count


def test_a_table_with_candidates(tmp_path):
    splits = ["codebase", "test", "train"]
    whole = [row | {"split": split} for row, split in zip(GOOD, splits, strict=True)]
    whole[1]["url"] = "u0"
    corpus = read_corpus(as_jsonl(tmp_path, whole), "python")
    assert [c.url for c in corpus.codebase] == ["u0"] and not corpus.notes


def test_text_that_is_not_utf8(tmp_path):
    for write in (as_parquet, as_datasets):
        path = write(tmp_path, [*GOOD, {"url": "x", "query": "q", "code": b"caf\xe9"}])
        assert_skipped(path, "bytes that are not UTF-8", 4)
    for path in (as_jsonl(tmp_path, GOOD), as_csv(tmp_path, GOOD)):
        with path.open("ab") as file:
            file.write(b'{"url": "\xff"}\n' if path.suffix == ".jsonl" else b"x,caf\xe9,c\n")
        assert_skipped(path, "bytes that are not UTF-8", 4 + (path.suffix == ".csv"))
    surrogates = b"x,\xed\xa0\xbd,c\n"  # as some programs write half an emoji
    as_csv(tmp_path, GOOD).write_bytes(as_csv(tmp_path, GOOD).read_bytes() + surrogates)
    assert_skipped(tmp_path / "pairs.csv", "bytes that are not UTF-8", 5)


def assert_skipped(path: Path, reason: str, number: int) -> None:
    """One row is skipped, counted and named; the others are read; --strict makes it an error."""
    corpus = read_corpus(path, "python")
    assert len(corpus.train) + len(corpus.valid) + len(corpus.test) == len(GOOD)
    (line,) = corpus.row_errors.lines()
    assert line == f"skipped 1 row: {reason} (first: {path}:{number})"
    with pytest.raises(InputError) as error:
        read_corpus(path, "python", strict=True)
    assert f"{error.value}" == f"{path}:{number}: {reason}"


DEEP, WIDE = b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000 + b"}" * 100_000
PAIR = b'{"url": "x", "query": "q", "code": '
BAD_LINES = {
    "half a surrogate pair": (PAIR + b'"\\ud83d"}', "a lone surrogate, which is no character"),
    "half of it in a token": (
        PAIR + b'"c", "code_tokens": ["\\udc00"]}',
        "a lone surrogate, which is no character",
    ),
    "5,000 digits": (
        PAIR + b'"c", "n": ' + b"9" * 5000 + b"}",
        "malformed JSON: an integer of too many digits",
    ),
    "brackets": (PAIR + DEEP + b"}", "malformed JSON: brackets nested too deep"),
    "open brackets": (b"[" * 100_000, "malformed JSON: brackets nested too deep"),
    "braces": (WIDE, "malformed JSON: brackets nested too deep"),
    "a number": (b"7", "not a JSON object"),
    "null": (b"null", "not a JSON object"),
    "a url of a list": (
        b'{"url": ["x"], "query": "q", "code": "c"}',
        "a url that is neither text nor a number",
    ),
    "a true url": (
        b'{"url": true, "query": "q", "code": "c"}',
        "a url that is neither text nor a number",
    ),
    "a family of braces": (
        PAIR + b'"c", "family": {}}',
        "a family that is neither text nor a number",
    ),
    "a language of a list": (
        PAIR + b'"c", "language": ["python"]}',
        "a language that is neither text nor a number",
    ),
    "a code of a number": (PAIR + b"7}", "a code that is no text"),
    "a query of a list": (b'{"query": ["q"], "code": "c"}', "a query that is no text"),
    "a token of null": (
        PAIR + b'"c", "code_tokens": ["a", null]}',
        "a token of code_tokens that is neither text nor a number",
    ),
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_lines_of_json_that_are_no_rows(tmp_path, name):
    line, reason = BAD_LINES[name]
    path = as_jsonl(tmp_path, GOOD)
    path.write_bytes(path.read_bytes() + line + b"\n")
    assert_skipped(path, reason, 4)


GOOD_LINES = {
    "a pair of surrogates": PAIR + b'"\\ud83d\\ude00"}',
    "an escaped backslash": PAIR + b'"\\\\ud83d"}',
    "4,000 digits": PAIR + b'"c", "n": ' + b"9" * 4000 + b"}",
    "100 brackets": PAIR + b'"c", "n": ' + b"[" * 100 + b"]" * 100 + b"}",
    "line separators": PAIR + '"a\u2028b\u2029c\x85d\x0b"}'.replace("\x0b", "\\u000b").encode(),
    "a mark within the file": b"\xef\xbb\xbf" + PAIR + b'"c"}',
    "a number among tokens": PAIR + b'"c", "code_tokens": ["x", "=", 5, 1.5]}',
    "tokens of text": PAIR + b'"c", "code_tokens": "x = 5"}',
    "tokens that are null": PAIR + b'"c", "code_tokens": null, "language": NaN, "url": null}',
    "a field that is not read": PAIR + b'"c", "\\ud800": "\\ud800", "repo": [{}]}',
}


@pytest.mark.parametrize("name", GOOD_LINES)
def test_lines_of_json_that_are_odd_rows(tmp_path, name):
    path = as_jsonl(tmp_path, GOOD)
    path.write_bytes(path.read_bytes() + GOOD_LINES[name] + b"\n\n\xef\xbb\xbf\n")
    corpus = read_corpus(path, "python", strict=True)
    assert len(corpus.train) + len(corpus.valid) + len(corpus.test) == 4


@pytest.mark.parametrize("write", [as_jsonl, as_gzip, as_csv])
def test_a_byte_order_mark(tmp_path, write):
    path = write(tmp_path, GOOD)
    before = read_corpus(path, "python", strict=True)
    content = path.read_bytes()
    if write is as_gzip:
        path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + gzip.decompress(content)))
    else:
        path.write_bytes(b"\xef\xbb\xbf" + content)
    assert read_corpus(path, "python", strict=True).hash() == before.hash()


def test_first_text_that_is_there():
    row = {"a": [], "b": ["x", " y"], "c": " ", "d": "z", "e": 5}
    assert text_of(row, ("d",), tokens=("a", "b")) == "x  y"
    assert text_of(row, ("c", "d")) == text_of(row, ("e", "d")) == "z"
    assert text_of(row, ("c",)) == "" and text_of(row, ("nowhere",)) is None
    assert text_of({"a": [""], "d": "z"}, ("d",), tokens=("a",)) == "z"
    assert name_of({"a": float("nan"), "b": 0}, "a", "b") == "0"


def test_names_of_fields_are_printable_and_few():
    assert shown_names({"\x1b[31m": 1, "\ud800é": 2}) == "?[31m, ?é"
    shown = shown_names({f"{n}" * 100: n for n in range(1000)})
    assert len(shown) < 600 and shown.endswith(", ...")


def test_reasons_are_not_without_number():
    errors = RowErrors()
    for n in range(1000):
        errors.add(f"its language is 'x{n}'", f"file:{n}")
    assert len(errors.lines()) == MOST_REASONS + 1 and errors.count.total() == 1000
    assert (
        errors.lines()[-1] == f"skipped {1000 - MOST_REASONS} rows: other reasons (first: file:30)"
    )


def test_a_line_that_is_too_long_is_skipped_in_bounded_memory(tmp_path):
    """50 MB in 50 kB: the line is thrown away as it is unpacked."""
    path = as_gzip(tmp_path, GOOD)
    good = gzip.decompress(path.read_bytes())
    long = PAIR + b'"' + b"x" * 50_000_000 + b'"}\n'
    path.write_bytes(gzip.compress(long + good + long[:-1], 1))
    tracemalloc.start()
    errors = RowErrors()
    read = [row for _, row in read_rows(path, errors)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read == GOOD and peak < 100e6
    assert errors.lines() == [
        f"skipped 2 rows: a line of more than 33,554,432 bytes (first: {path}:1)"
    ]


def test_limits_of_a_row(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "LARGEST_ROW", 200)
    exact = PAIR + b'"' + b"x" * (200 - len(PAIR) - 4) + b'"}\n'
    assert len(exact) == 200
    path = as_jsonl(tmp_path, GOOD)
    good = path.read_bytes()
    path.write_bytes(good + exact)
    assert len(list(read_rows(path, RowErrors(strict=True)))) == 4
    path.write_bytes(good + exact.replace(b"xx", b"xxx", 1))
    assert_skipped(path, "a line of more than 200 bytes", 4)
    long = {"url": "x", "query": "q", "code": "x" * 201}
    for write in (as_parquet, as_datasets):
        assert_skipped(write(tmp_path, [*GOOD, long]), "a field of more than 200 characters", 4)
    with pytest.raises(InputError, match=r"pairs.csv:5: (a line of more than|.*field larger than)"):
        read_corpus(as_csv(tmp_path, [*GOOD, long]), "python")


def test_limits_of_what_is_packed(tmp_path, monkeypatch):
    paths = as_gzip(tmp_path, GOOD), as_parquet(tmp_path, GOOD), as_jsonl(tmp_path, GOOD)
    monkeypatch.setattr(rows, "LARGEST_FILE", 30)
    for path in paths[:2]:
        with pytest.raises(InputError, match=f"{path.name}: unpacks to more than 30 bytes"):
            read_corpus(path, "python")
    assert len(list(read_rows(paths[2], RowErrors()))) == 3  # not packed: as large as it is


def test_a_value_that_is_that_of_every_row(tmp_path, monkeypatch):
    """A dictionary of one text of 1 MB and 9,000 rows: 9 GB from 50 kB."""
    code = pa.DictionaryArray.from_arrays(pa.array([0] * 9000, pa.int32()), pa.array(["x" * 10**6]))
    path = tmp_path / "pairs.parquet"
    pq.write_table(pa.table({"code": code}), path, dictionary_pagesize_limit=1 << 30)
    monkeypatch.setattr(rows, "SMALL_FILE", 10**7)
    with pytest.raises(InputError, match=r"pairs.parquet: unpacks to more than \d[\d,]+ bytes"):
        read_corpus(path, "python")
    # The control: a file of repetitions that is small.
    monkeypatch.undo()
    pq.write_table(pa.table({"code": code.slice(0, 40)}), path)
    assert len(list(read_rows(path, RowErrors()))) == 40


def test_damaged_gzip_is_one_line(tmp_path):
    path = as_gzip(tmp_path, [row | {"n": list(range(500))} for row in GOOD])
    whole = path.read_bytes()
    damaged = [whole[:-9], whole[:30], b"", whole + b"more", b"{}\n", b"\x28\xb5\x2f\xfd" + whole]
    damaged += [whole[:n] + bytes([whole[n] ^ 0xFF]) + whole[n + 1 :] for n in range(10, 400, 13)]
    refused = 0
    for content in damaged:  # an empty file is an empty gzip file
        path.write_bytes(content)
        try:
            read_corpus(path, "python", strict=True)
        except InputError as error:
            assert "\n" not in f"{error}" and f"{path}" in f"{error}"
            refused += "not a whole gzip file: " in f"{error}"
    assert refused >= len(damaged) - 2


@pytest.mark.parametrize("start", rows.PACKED)
def test_packed_files_under_a_plain_name(tmp_path, start):
    for name in ("pairs.jsonl", "pairs.csv"):
        (tmp_path / name).write_bytes(start + b"9 and so on\n")
        kind = rows.PACKED[start]
        with pytest.raises(InputError, match=f"{name}: a file packed by {kind}: (unpack|name) it"):
            read_corpus(tmp_path / name, "python")
    (tmp_path / "pairs.csv").write_bytes(b"BZhang,query,code\n1,q,c\n")
    assert len(list(read_rows(tmp_path / "pairs.csv", RowErrors(strict=True)))) == 1


def test_members_of_zips(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jsonl", b'{"n": 1}\n' * 99)
    whole = buffer.getvalue()
    path = tmp_path / "a.zip"

    def read(content: bytes) -> int:
        path.write_bytes(content)
        return len(list(lines_of(path, RowErrors(strict=True), member="a.jsonl")))

    assert read(whole) == 99
    start, directory = whole.index(b"a.jsonl") - 30, whole.index(b"PK\x01\x02")
    encrypted = bytearray(whole)
    encrypted[start + 6] |= 1
    encrypted[directory + 8] |= 1
    unknown = bytearray(whole)
    unknown[start + 8] = unknown[directory + 10] = 97
    torn = bytearray(whole)
    torn[start + 40] ^= 0xFF
    for content, reason in ((encrypted, "encrypted"), (unknown, "compression"), (torn, "")):
        with pytest.raises(InputError, match=f"a.zip!a.jsonl: not a whole zip: .*{reason}"):
            read(bytes(content))


def test_other_types_of_columns(tmp_path):
    """Moments, structures and bytes are not read; a code of bytes is no text."""
    moment = pa.array([2**62] * 3, pa.timestamp("ms"))
    table = as_table(GOOD).append_column("when", moment)
    table = table.append_column("what", pa.array([{"a": 1}] * 3))
    pq.write_table(table, tmp_path / "pairs.parquet")
    assert len(list(read_rows(tmp_path / "pairs.parquet", RowErrors(strict=True)))) == 3
    table = table.set_column(2, "code", pa.array([b"c"] * 3))
    pq.write_table(table, tmp_path / "pairs.parquet")
    corpus = read_corpus(tmp_path / "pairs.parquet", "python")
    assert corpus.row_errors.count == {"a code that is no text": 3}
    pq.write_table(table.select(["when"]), tmp_path / "pairs.parquet")
    corpus = read_corpus(tmp_path / "pairs.parquet", "python")
    assert corpus.row_errors.count == {"no query among its fields (when)": 3}


def test_two_columns_of_one_name(tmp_path):
    table = as_table(GOOD)
    pq.write_table(table.append_column("code", table["query"]), tmp_path / "pairs.parquet")
    (tmp_path / "pairs.csv").write_text("query,code,url, code\nq,c,u,d\n")
    for name in ("pairs.parquet", "pairs.csv"):
        with pytest.raises(InputError, match=f"{name}: 2 columns 'code': keep one"):
            read_corpus(tmp_path / name, "python")
    (tmp_path / "pairs.csv").write_text("query,code,url,,\nq,c,u,,\n")  # as spreadsheets do
    assert len(list(read_rows(tmp_path / "pairs.csv", RowErrors(strict=True)))) == 1


def test_a_table_without_rows_or_columns(tmp_path):
    for table in (pa.table({}), as_table(GOOD).slice(0, 0)):
        pq.write_table(table, tmp_path / "pairs.parquet")
        assert not read_corpus(tmp_path / "pairs.parquet", "python", strict=True).train


def test_coded_and_large_columns(tmp_path):
    table = as_table([row | {"code_tokens": ["a", "b"]} for row in GOOD])
    query = table["query"].combine_chunks().dictionary_encode()
    table = table.set_column(1, "query", query)
    tokens = table["code_tokens"].cast(pa.large_list(pa.large_string()))
    table = table.set_column(3, "code_tokens", tokens)
    pq.write_table(table, tmp_path / "train.parquet")
    corpus = read_corpus(tmp_path, "python", strict=True)
    assert [(p.query, p.code) for p in corpus.train] == [(f"query {n}", "a b") for n in range(3)]
