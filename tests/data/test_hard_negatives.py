"""The file of hard negatives: written and read, another order, other data, fewer than K."""

from __future__ import annotations

import dataclasses
import gzip
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softnce_jax.data.corpus import Pair, RowErrors
from softnce_jax.data.hard_negatives import read_negatives, training_hashes, write_negatives
from softnce_jax.errors import InputError
from tests.data.hostile import bounded, files, lines, only_input_errors

# Function 0 has two queries; two languages have the same url.
PAIRS = [Pair(f"query {i}", f"code {i // 2 if i < 2 else i}", f"u{max(i, 1)}", "go")
         for i in range(6)] + [Pair("query 1", "php code", "u1", "php")]  # fmt: skip
NEGATIVES = {0: ["u2", "u5"], 1: ["u3"], 2: ["u1", "u4"], 3: [], 4: ["u5", "u2"], 5: ["u4", "u3"]}


def rows():
    for i, urls in {**NEGATIVES, 6: []}.items():
        pair = PAIRS[i]
        yield {"language": pair.language, "url": pair.url, "query": pair.query, "negatives": urls}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "negatives" / "hard.jsonl"
    write_negatives(path, {"k": 2, "model": "bm25", "train": training_hashes(PAIRS)}, rows())
    return path


def test_each_pair_gets_its_own(path):
    found = read_negatives(str(path), PAIRS)
    index = found.index_RK
    for i, urls in NEGATIVES.items():
        for k, url in enumerate(urls):
            pair = PAIRS[index[i, k]]
            assert (pair.language, pair.url) == ("go", url)
    assert index[2, 0] == 0  # the first pair of the function
    assert found.filled == 5 and found.about["model"] == "bm25"
    assert [p.name for p in path.parent.iterdir()] == ["hard.jsonl"]


def test_missing_negatives_are_drawn_by_the_seed(path):
    found = [read_negatives(str(path), PAIRS, seed=seed).index_RK for seed in (0, 0, 1)]
    np.testing.assert_array_equal(found[0], found[1])
    differ = found[0] != found[2]
    assert differ.any() and not differ[[0, 2, 4, 5]].any()
    assert found[0].min() >= 0 and found[0].max() < len(PAIRS)


def test_the_first_of_each(path):
    whole, first = (read_negatives(str(path), PAIRS, per_query=k) for k in (None, 1))
    np.testing.assert_array_equal(first.index_RK[[0, 1, 2, 4, 5]],
                                  whole.index_RK[[0, 1, 2, 4, 5], :1])  # fmt: skip
    assert first.index_RK.shape == (7, 1) and first.filled == 2


def test_another_order_of_the_data_and_a_zipped_file(path):
    order = [3, 6, 0, 5, 1, 4, 2]
    shuffled = [PAIRS[i] for i in order]
    zipped = path.with_name("zipped.jsonl.gz")
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    found = read_negatives(str(zipped), shuffled).index_RK
    for index_K, i in zip(found, order, strict=True):
        urls = NEGATIVES.get(i, [])
        assert [shuffled[j].url for j in index_K[: len(urls)]] == urls


def test_one_language_of_a_file_of_several(path):
    found = read_negatives(str(path), PAIRS[:6])
    assert found.index_RK.shape == (6, 2) and found.index_RK.max() < 6


def changed(**texts):
    pairs = list(PAIRS)
    pairs[4] = dataclasses.replace(PAIRS[4], **texts)
    return pairs


OTHER_DATA = {
    "other urls": (changed(url="other"), "1 of its functions are not among them, 1 of 7 queries"),
    "another query": (changed(query="?"), "0 of its functions are not among them, 1 of 7 queries"),
    "another code": (changed(code="?"), "0 of 7 queries are not in it, and a text has changed"),
    "fewer": (PAIRS[:4], "2 of its functions are not among them, 0 of 4 queries"),
    "more": ([*PAIRS, Pair("q", "c", "new", "go")], "0 of its functions .*, 1 of 8 queries"),
    "another language": ([Pair("q", "c", "u", "ruby")], "1 of 1 queries are not in it"),
}


@pytest.mark.parametrize(("pairs", "message"), OTHER_DATA.values(), ids=OTHER_DATA)
def test_other_data_is_an_error_with_both_counts(path, pairs, message):
    with pytest.raises(InputError, match=f"not mined from these training pairs: .*{message}"):
        read_negatives(str(path), pairs)


@pytest.mark.parametrize("per_query", [0, -1, 3])
def test_more_than_the_file_has(path, per_query):
    with pytest.raises(InputError, match=f"-per-query {per_query}: .*hard.jsonl has 2 of a query"):
        read_negatives(str(path), PAIRS, per_query=per_query)


def test_files_that_are_no_negatives(path, tmp_path):
    for name in ("nowhere.jsonl", "negatives"):
        with pytest.raises(InputError, match=f"{name}: no such JSON lines; experiments/mine_neg"):
            read_negatives(str(tmp_path / name), PAIRS)
    lines = path.read_text().splitlines()
    for text in ("", "\n".join(lines[1:]), lines[0].replace(": 1", ": 9"), '{"hard_negatives": 1}'):
        (tmp_path / "x.jsonl").write_text(text + "\n")
        with pytest.raises(InputError, match="its first line does not say"):
            read_negatives(str(tmp_path / "x.jsonl"), PAIRS)
    for line in ('{"language": "go", "url": "u1", "query": "q"}', '{"language": "go"}'):
        (tmp_path / "x.jsonl").write_text(f"{lines[0]}\n{lines[1]}\n{line}\n")
        with pytest.raises(InputError, match=r"x.jsonl:3: not a url, a query and a list"):
            read_negatives(str(tmp_path / "x.jsonl"), PAIRS)
    (tmp_path / "x.jsonl").write_text(f"{lines[0]}\n{lines[1][:20]}\n")
    with pytest.raises(InputError, match=r"x.jsonl:2: malformed JSON"):
        read_negatives(str(tmp_path / "x.jsonl"), PAIRS)


BAD_ABOUT = {"k": ["x", None, 2.5, True, 0, -1, 10**8], "train": [[], "x", 5, None]}


@pytest.mark.parametrize("field", BAD_ABOUT)
def test_a_first_line_of_other_types(path, field):
    about, *others = path.read_text().splitlines()
    for value in BAD_ABOUT[field]:
        path.write_text("\n".join([json.dumps(json.loads(about) | {field: value}), *others]))
        with pytest.raises(InputError, match=rf"hard.jsonl:1: {field} (is no|holds no)"):
            read_negatives(str(path), PAIRS)


BAD_LINES = {
    "bytes that are not UTF-8": b"\xff",
    "malformed JSON: brackets nested too deep": b"[" * 100_000,
    "malformed JSON: an integer of too many digits": b"9" * 5000,
    "not a JSON object": b"[]",
    "not a url, a query and a list of negatives": b'{"language": "go", "url": "u", "query": "q"}',
    "a url that is neither text nor a number": b'{"language": "go", "url": [], "query": "q"}',
    "a query that is no text": b'{"language": "go", "url": "u", "query": 5, "negatives": []}',
    "a negative that is neither text nor a number": (
        b'{"language": "go", "url": "u", "query": "q", "negatives": [null]}'
    ),
    "a lone surrogate": b'{"language": "go", "url": "\\ud800", "query": "q", "negatives": []}',
}


@pytest.mark.parametrize("reason", BAD_LINES)
def test_lines_that_cannot_be_used_are_skipped_and_named(path, reason):
    expected = read_negatives(str(path), PAIRS).index_RK
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([b"\xef\xbb\xbf" + lines[0], BAD_LINES[reason], *lines[1:]]))
    errors = RowErrors()
    found = read_negatives(str(path), PAIRS, row_errors=errors).index_RK
    np.testing.assert_array_equal(found, expected)
    (line,) = errors.lines()
    assert line.startswith(f"skipped 1 row: {reason}") and line.endswith(f"(first: {path}:2)")
    with pytest.raises(InputError, match=f"hard.jsonl:2: {reason}"):
        read_negatives(str(path), PAIRS)
    # A query whose line was skipped is missing, and the reason is told.
    path.write_bytes(b"\n".join([lines[0], BAD_LINES[reason], *lines[2:]]))
    with pytest.raises(InputError, match=f"1 of 7 queries .*; skipped 1 row: {reason}"):
        read_negatives(str(path), PAIRS, row_errors=RowErrors())


def test_a_function_written_otherwise_is_another_training_set(path):
    other = [dataclasses.replace(PAIRS[0], source="another text"), *PAIRS[1:]]
    with pytest.raises(InputError, match="and a text has changed; mine again"):
        read_negatives(str(path), other)


def test_numbers_and_absent_languages(tmp_path):
    pairs = [Pair(f"q{n}", f"c{n}", f"{n}", "go") for n in range(3)]
    rows = [{"url": n, "query": f" q{n}", "negatives": [(n + 1) % 3], "language": None}
            for n in range(3)]  # fmt: skip
    path = tmp_path / "x.jsonl"
    write_negatives(path, {"k": 1, "train": training_hashes(pairs)}, rows)
    assert read_negatives(str(path), pairs).index_RK.tolist() == [[1], [2], [0]]
    both = [*pairs, Pair("q", "c", "0", "php")]  # then a line without one says nothing
    write_negatives(path, {"k": 1, "train": training_hashes(both)}, rows)
    with pytest.raises(InputError, match=r"x.jsonl:2: not a url, a query and a list"):
        read_negatives(str(path), both)


def test_whatever_a_file_holds_only_input_errors_come_out(path):
    about, *whole = path.read_bytes().splitlines()
    line = st.one_of(st.sampled_from(whole), lines("language", "url", "query", "negatives"))
    first = st.one_of(st.just(about), st.just(about), lines("hard_negatives", "k", "train"))

    @bounded
    @given(first, files(line))
    def read(first, content):
        path.write_bytes(b"\n".join([first, *whole, content]))
        for row_errors in (RowErrors(), None):
            with only_input_errors(path):
                assert read_negatives(str(path), PAIRS, row_errors=row_errors).index_RK.min() >= 0

    read()


def test_the_hash_is_the_files(path):
    before = read_negatives(str(path), PAIRS).hash
    moved = path.rename(path.with_name("moved.jsonl"))
    assert read_negatives(str(moved), PAIRS).hash == before
    about, *others = moved.read_text().splitlines()
    moved.write_text("\n".join([json.dumps(json.loads(about) | {"model": "x"}), *others]) + "\n")
    assert read_negatives(str(moved), PAIRS).hash != before


def test_a_failed_write_leaves_nothing(path):
    before = path.read_bytes()

    def failing():
        yield from rows()
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        write_negatives(path, {"k": 2}, failing())
    assert path.read_bytes() == before and len(list(path.parent.iterdir())) == 1
