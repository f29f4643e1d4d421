"""Rows made once: the same in this process, in others and from the cache, even a damaged one."""

from __future__ import annotations

import numpy as np
import pytest

from softnce_jax.data.corpus import Pair
from softnce_jax.data.sample import load_sample
from softnce_jax.dataflow import cache, extract
from softnce_jax.dataflow.cache import GraphCodes, Settings
from softnce_jax.dataflow.extract import _extract_chunk, extract_all
from softnce_jax.encoders.tokenizer import Tokenizer
from softnce_jax.pretrained.tiny import train_tokenizer
from tests.rows import padded_rows

PAIRS = [pair for language in ("ruby", "go", "php") for pair in load_sample(language).train[:12]]
FUNCTIONS = [(pair.language, pair.code) for pair in PAIRS]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer(train_tokenizer([pair.code for pair in PAIRS], 500))


@pytest.fixture
def cached(monkeypatch):
    """As if any function were many."""
    monkeypatch.setattr(cache, "FEW", 0)


def codes(tokenizer, *, rules="published", **options) -> GraphCodes:
    return GraphCodes(tokenizer, Settings(rules, 48, 16), **options)


def same(a, b) -> bool:
    pairs = [(getattr(x, n), getattr(y, n)) for x, y in zip(a, b, strict=True) for n in x.__slots__]
    return all(np.array_equal(x, y) for x, y in pairs)


def test_rows_are_in_order_and_extracted_once(tokenizer, monkeypatch):
    graphs = codes(tokenizer)
    asked = []

    def counted(functions, rules):
        asked.extend(functions)
        return extract_all(functions, rules)

    monkeypatch.setattr(cache, "extract_all", counted)
    first = graphs([*PAIRS, PAIRS[0]])
    again = graphs(PAIRS[::-1])
    # To the letter: case and white space are the parser's.
    assert asked == list(dict.fromkeys(FUNCTIONS)) and same(first[:-1], again[::-1])
    assert same(first[:1], first[-1:]) and not same(first[:1], first[3:4])
    rows = padded_rows(first, graphs.length, edges=graphs.edge_capacity)
    assert rows.ids.shape == (1, len(PAIRS) + 1, 64)


def test_the_language_counts(tokenizer):
    code = "function f($a) { $b = $a; return $b; }"
    php, javascript = codes(tokenizer)([Pair("q", code, "u", n) for n in ("php", "javascript")])
    assert not np.array_equal(php.ids, javascript.ids)


WRITTEN = """def longest(words):
    best = ""
    for word in words:
        if len(word) > len(best):
            best = word
    return best"""
TOKENS = (
    'def longest ( words ) : best = "" for word in words : if len ( word ) > len ( best ) : '
    "best = word return best"
)


def test_the_flow_is_that_of_the_function_as_it_was_written(tokenizer, caplog):
    """Joined tokens are no Python: the loop is lost."""
    written, joined = Pair("q", WRITTEN, "u", "python"), Pair("q", TOKENS, "u", "python")
    both = Pair("q", TOKENS, "u", "python", source=WRITTEN)
    graphs = GraphCodes(tokenizer, Settings("published", 80, 40))
    found, expected, other = graphs([both, written, joined])
    assert same([found], [expected]) and not same([found], [other])
    flow = extract.Extractor("python")(WRITTEN)
    assert len(found.spans) == len(flow.edges) and len(flow.tokens) == len(TOKENS.split())
    of = {n: [flow.tokens[p] for p in parents] for n, _, parents in flow.edges}
    assert of[len(flow.tokens) - 1] == ["best", "best"]  # from either side of the loop
    assert of != {n: parents for n, _, parents in extract.Extractor("python")(TOKENS).edges}


def test_rows_of_one_code_and_other_sources_are_two(tokenizer):
    first, second = (Pair("q", "f", "u", "python", source=s) for s in ("x = 1", "x = y"))
    assert not same(*(codes(tokenizer)([row]) for row in (first, second)))
    assert same(*(codes(tokenizer)([row]) for row in (first, Pair("q", "x = 1", "v", "python"))))


def test_pieces_are_those_of_the_tokens(tokenizer):
    (example,) = codes(tokenizer)([Pair("q", "def f(a):\n  return a", "u", "python")])
    pieces = [id for t in ("def", "f", "(", "a", ")", ":", "return", "a")
              for id in tokenizer.pieces([t], after_space=True)[0]]  # fmt: skip
    nodes = [tokenizer.unknown_id] * len(example.spans)
    assert example.ids.tolist() == [*tokenizer.head, *pieces, *tokenizer.tail, *nodes]
    assert len(nodes) == 2 and example.edges.tolist() == [[len(example) - 1, len(example) - 2]]


def test_processes_find_the_same(monkeypatch):
    monkeypatch.setattr(extract, "CHUNK", 5)
    alone = _extract_chunk(FUNCTIONS, "extended")
    assert list(extract_all(FUNCTIONS, "extended", processes=2)) == alone
    assert list(extract_all(FUNCTIONS, "published", processes=1)) != alone
    assert list(extract_all([], "published")) == []


def test_problems_are_counted(tokenizer, caplog):
    loop = "function f{0}($m) {{ foreach ($m as $k => $v) {{ g($v); }} }}"
    loops = [Pair("q", loop.format(n), "u", "php") for n in range(2)]
    examples = codes(tokenizer)([*PAIRS[:4], *loops])
    assert caplog.messages == [
        "data flow cut short in 2 of 4 functions (php: foreach_statement without two variables)"
    ]
    assert all(len(example) > 10 for example in examples)


def test_the_cache_is_read(tokenizer, tmp_path, cached, monkeypatch):
    first = codes(tokenizer, folder=tmp_path / "made")(PAIRS)
    (path,) = (tmp_path / "made").iterdir()
    with np.load(path, allow_pickle=False) as arrays:
        assert set(arrays) == {"ids", "spans", "edges", "ends"}
    monkeypatch.setattr(cache, "extract_all", None)
    graphs = codes(tokenizer, folder=tmp_path / "made")
    assert same(graphs(PAIRS), first) and graphs.edge_capacity >= 64


def test_what_changes_a_row_misses_the_cache(tokenizer, tmp_path, cached):
    codes(tokenizer, folder=tmp_path)(PAIRS)
    other = Tokenizer(train_tokenizer([pair.query for pair in PAIRS], 400))
    for graphs, rows in (
        (codes(tokenizer, rules="extended", folder=tmp_path), PAIRS),
        (codes(other, folder=tmp_path), PAIRS),
        (GraphCodes(tokenizer, Settings("published", 48, 17), folder=tmp_path), PAIRS),
        (codes(tokenizer, folder=tmp_path), PAIRS[2:]),
    ):
        before = set(tmp_path.iterdir())
        graphs(rows)
        assert len(set(tmp_path.iterdir()) - before) == 1
    before = set(tmp_path.iterdir())
    codes(tokenizer, folder=tmp_path)(PAIRS)
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("damage", ["truncate", "flip", "other"])
def test_a_damaged_cache_is_made_again(tokenizer, tmp_path, cached, damage, caplog):
    first = codes(tokenizer, folder=tmp_path)(PAIRS)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    content = bytearray(whole)
    content[len(content) // 3] ^= damage == "flip"
    path.write_bytes({"truncate": whole[:999], "flip": bytes(content), "other": b"PK"}[damage])
    assert same(codes(tokenizer, folder=tmp_path)(PAIRS), first)
    (message,) = caplog.messages
    assert "is damaged" in message and path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_is_logged(tokenizer, tmp_path, cached, caplog):
    (tmp_path / "file").write_text("")
    assert codes(tokenizer, folder=tmp_path / "file" / "cache")(PAIRS)
    (message,) = caplog.messages
    assert "could not be cached" in message


def test_few_functions_need_no_cache(tokenizer, tmp_path):
    codes(tokenizer, folder=tmp_path)(PAIRS)
    assert not list(tmp_path.iterdir())


def test_what_no_row_can_hold_is_not_parsed(tokenizer, caplog, monkeypatch):
    """A function far beyond the cut has the row of the whole, from its beginning."""
    code = "def f(x):\n" + "    x = x + g(x)\n" * 1_000
    longest = len(code) - 5
    rows = {}
    for limit in (2 * len(code), longest, 16):
        monkeypatch.setattr(cache, "LONGEST_CODE", limit)
        read = []

        def counted(functions, rules, read=read):
            read.extend(len(code) for _, code in functions)
            return extract_all(functions, rules)

        monkeypatch.setattr(cache, "extract_all", counted)
        caplog.clear()
        rows[limit] = codes(tokenizer)([Pair("q", code, "u", "python")])
        assert read[0] <= max(limit, cache.CHARACTERS * 64)
        said = [line for line in caplog.messages if "python: it has more than" in line]
        assert len(said) == (limit < len(code))
    whole, *others = rows.values()
    assert all(same(whole, row) for row in others) and len(whole[0].edges) > 10
    # The control: with the cut a tenth as far, a row is another one.
    monkeypatch.setattr(cache, "CHARACTERS", 1)
    assert not same(whole, codes(tokenizer)([Pair("q", code, "u", "python")]))
