"""Formats people have: the same pairs, whatever they come in, and a clear word when unsure."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from softnce_jax.data.corpus import Corpus
from softnce_jax.data.load import read_corpus
from softnce_jax.errors import InputError
from tests.data.folders import write_folder

SPLITS = {"train": range(0, 6), "valid": range(6, 8), "test": range(8, 11)}


def pair(number: int) -> dict:
    return {
        "url": f"lib/f{number}.py#L1",
        "query": f"query {number}, “quoted”",
        "code": f'def f{number}():\n    return "{number},\n{number}"',
    }


def write_csv(path: Path, rows: list[dict]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def write_parquet(path: Path, rows: list[dict]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path)


def as_jsonl(folder: Path) -> None:
    write_folder(folder, **{split: list(map(pair, rows)) for split, rows in SPLITS.items()})


def as_csv(folder: Path) -> None:
    for split, rows in SPLITS.items():
        write_csv(folder / f"{split}.csv", list(map(pair, rows)))


def as_parquet_parts(folder: Path) -> None:
    """As on the Hub: in data/, in parts, under CodeSearchNet's column names."""
    (folder / "data").mkdir()
    for split, numbers in SPLITS.items():
        name = {"valid": "validation"}.get(split, split)
        rows = [
            {
                "func_code_url": row["url"],
                "func_documentation_string": row["query"],
                "func_code_string": row["code"],
                "language": "python",
            }
            for row in map(pair, numbers)
        ]
        for part in range(2):
            path = folder / "data" / f"{name}-0000{part}-of-00002.parquet"
            write_parquet(path, rows[part::2])


def as_raw(folder: Path) -> None:
    """As in CodeSearchNet's archives."""
    for split, numbers in SPLITS.items():
        split_folder = folder / "final" / "jsonl" / split
        split_folder.mkdir(parents=True)
        for part in range(2):
            rows = [
                {"url": row["url"], "docstring": row["query"], "original_string": row["code"]}
                for row in map(pair, list(numbers)[part::2])
            ]
            text = "".join(f"{json.dumps(row)}\n" for row in rows)
            name = f"python_{split}_{part}.jsonl.gz"
            (split_folder / name).write_bytes(gzip.compress(text.encode()))


def as_datasets(folder: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="Hugging Face datasets is not installed")
    parts = {
        {"valid": "validation"}.get(split, split): datasets.Dataset.from_list(
            [pair(number) for number in numbers]
        )
        for split, numbers in SPLITS.items()
    }
    datasets.DatasetDict(parts).save_to_disk(str(folder))


def texts(corpus: Corpus) -> dict[str, set]:
    splits = {name: getattr(corpus, name) for name in SPLITS}
    found = {name: {(p.url, p.query, p.code) for p in pairs} for name, pairs in splits.items()}
    return found | {"codebase": {(c.url, c.code) for c in corpus.codebase}}


@pytest.mark.parametrize("write", [as_jsonl, as_csv, as_parquet_parts, as_raw, as_datasets])
@pytest.mark.parametrize("folder", [".", "python"])
def test_every_format_gives_the_same_pairs(tmp_path, write, folder):
    (tmp_path / folder).mkdir(exist_ok=True)
    write(tmp_path / folder)
    corpus = read_corpus(tmp_path, "python", strict=True)
    expected = {
        split: {tuple(pair(number).values()) for number in numbers}
        for split, numbers in SPLITS.items()
    }
    functions = {(url, code) for url, _, code in expected["valid"] | expected["test"]}
    assert texts(corpus) == expected | {"codebase": functions}
    assert "no codebase: the 5 functions of valid and test stand in" in corpus.notes


def two_texts(names: dict[str, str]) -> list[dict]:
    """A row with both texts of its function under CodeSearchNet's names, and rows with one."""
    row = {"url": "u0", "docstring": "sum", "code": "def f(x): ...", "split": "train"}
    whole = {"original_string": "def f(x):\n    '''Sum.'''", "code_tokens": ["def", "f"]}
    texts = row | whole
    rows = [texts] + [
        texts | dict.fromkeys({"code", *whole} - {name}) | {"url": f"u{n}"}
        for n, name in enumerate(("code", "original_string", "code_tokens"), start=1)
    ]
    return [{names.get(name, name): value for name, value in r.items()} for r in rows]


HUB = {
    "url": "func_code_url", "code": "func_code_string", "original_string": "whole_func_string",
    "code_tokens": "func_code_tokens", "docstring": "func_documentation_string",
}  # fmt: skip
TWO_TEXTS = {
    "pairs.jsonl": lambda folder, names: write_folder(folder, pairs=two_texts(names)),
    "pairs.parquet": lambda folder, names: write_parquet(
        folder / "pairs.parquet", two_texts(names)
    ),
    "final/jsonl": lambda folder, names: write_folder(
        folder / "final" / "jsonl" / "train", python_train_0=two_texts(names)
    ),
    "dataset": lambda folder, names: (
        pytest.importorskip("datasets")
        .Dataset.from_list(two_texts(names))
        .save_to_disk(str(folder / "dataset"))
    ),
}


@pytest.mark.parametrize("names", [{}, HUB], ids=["raw", "hub"])
@pytest.mark.parametrize("form", TWO_TEXTS)
def test_a_function_has_two_texts_in_every_format(tmp_path, form, names):
    TWO_TEXTS[form](tmp_path, names)
    path = tmp_path if form == "final/jsonl" else tmp_path / form
    corpus = read_corpus(path, "python", strict=True)
    code, written, joined = "def f(x): ...", "def f(x):\n    '''Sum.'''", "def f"
    assert {p.url: (p.code, p.source) for p in corpus.train} == {
        "u0": (joined, written), "u1": (code, code), "u2": (written, written), "u3": (joined,) * 2
    }  # fmt: skip


def test_two_texts_of_a_csv_and_of_candidates(tmp_path):
    rows = [{"url": "u", "query": "q", "code": "f", "original_string": " f # first "}]
    write_csv(tmp_path / "test.csv", rows)
    (candidate,) = read_corpus(tmp_path, "python", strict=True).codebase
    assert (candidate.code, candidate.source) == ("f", "f # first")
    write_csv(tmp_path / "codebase.csv", [rows[0] | {"original_string": "f # second"}])
    (candidate,) = read_corpus(tmp_path, "python", strict=True).codebase
    assert (candidate.code, candidate.source) == ("f", "f # second")


@pytest.mark.parametrize(
    ("value", "reason"),
    [([1], "a original_string that is no text"), ("\ud800", "a lone surrogate")],
)
def test_what_was_written_and_is_no_text_is_skipped(tmp_path, value, reason):
    """Not replaced by the tokens: its data flow would be another without a word."""
    row = {"url": "u", "query": "q", "code_tokens": ["f"], "original_string": value}
    write_folder(tmp_path, train=[row, row | {"url": "v", "original_string": "f()"}])
    corpus = read_corpus(tmp_path, "python")
    assert [pair.source for pair in corpus.train] == ["f()"]
    assert corpus.row_errors.lines()[0].startswith(f"skipped 1 row: {reason}")


def test_cosqa(tmp_path):
    def row(number: int, label: int, doc: str) -> dict:
        code = pair(number)["code"]
        return {"idx": "cosqa-x", "doc": doc, "code": code, "code_tokens": "f", "label": label}

    lists = {
        "train-4": [row(0, 1, "a"), row(1, 0, "wrong"), row(2, 1, "c"), row(2, 1, "d")],
        "dev-1": [row(3, 1, "e")],
        "test-1": [row(0, 1, "g") | {"retrieval_idx": 0}],
    }
    for name, rows in lists.items():
        (tmp_path / f"cosqa-retrieval-{name}.json").write_text(json.dumps(rows), "utf-8")
    functions = {pair(number)["code"]: number for number in range(5)}
    (tmp_path / "code_idx_map.txt").write_text(json.dumps(functions), "utf-8")
    corpus = read_corpus(tmp_path, "python", strict=True)
    assert [(p.query, p.url) for p in corpus.train] == [("a", "0"), ("c", "2"), ("d", "2")]
    assert [(p.query, p.url) for p in corpus.valid + corpus.test] == [("e", "3"), ("g", "0")]
    assert [(c.url, c.code) for c in corpus.codebase] == [(str(n), c) for c, n in functions.items()]
    assert "label 0" in corpus.notes[0]
    other = read_corpus(tmp_path, "go")
    assert other.train == [] and "its language is 'python', not 'go'" in other.row_errors.lines()[0]


def write_cosqa(folder: Path, pairs: object, functions: object, split: str = "train") -> None:
    (folder / f"cosqa-retrieval-{split}-1.json").write_text(json.dumps(pairs))
    (folder / "code_idx_map.txt").write_text(json.dumps(functions))


def test_odd_rows_of_cosqa(tmp_path):
    """Labels and numbers may be text; what is no row is skipped by its place in the list."""
    labels = [{}, {"label": "1"}, {"label": "0"}, {"label": None}]
    good = [
        {"doc": doc, "code": code} | label
        for doc, code, label in zip("qrst", "ffgg", labels, strict=True)
    ]
    bad = {
        "not a JSON object": [1],
        "no code among its fields (url, query, code, language)": {"doc": "q"},
        "a code that is no text": {"doc": "q", "code": ["f"]},
        "a query that is no text": {"doc": 5, "code": "f"},
        "a label that is neither 0 nor 1": {"doc": "q", "code": "f", "label": 2},
        "a label that is neither text nor a number": {"doc": "q", "code": "f", "label": [1]},
        "a lone surrogate, which is no character": {"doc": "\ud800", "code": "f"},
        "a url that is neither text nor a number": {"doc": "q", "code": "odd"},
    }
    write_cosqa(tmp_path, [*good, *bad.values()], {"f": 1, "g": "2", "odd": [], "\udc00": 4})
    corpus = read_corpus(tmp_path, "python")
    assert [(p.query, p.url) for p in corpus.train] == [("q", "1"), ("r", "1"), ("t", "2")]
    assert [c.url for c in corpus.codebase] == ["1", "2"]
    place = tmp_path / "cosqa-retrieval-train-1.json"
    for n, reason in enumerate(bad, start=len(good) + 1):
        assert corpus.row_errors.first[reason] == f"{place}#{n}"
    assert corpus.row_errors.count.total() == len(bad) + 2
    with pytest.raises(InputError, match=r"train-1.json#5: not a JSON object"):
        read_corpus(tmp_path, "python", strict=True)


def test_files_of_cosqa_that_are_none(tmp_path):
    other = {
        "train-1.json: no list of pairs": ({}, {"f": 1}, "train"),
        "code_idx_map.txt: no map of functions": ([], [], "train"),
        "holdout-1.json: a split 'holdout': train, valid": ([], {"f": 1}, "holdout"),
    }
    for message, content in other.items():
        write_cosqa(tmp_path, *content)
        with pytest.raises(InputError, match=message):
            read_corpus(tmp_path, "python")
        (tmp_path / f"cosqa-retrieval-{content[2]}-1.json").unlink()
    for text in ("[" * 100_000, "[" + "9" * 5000 + "]", '[{"doc": ', "\xff"):
        write_cosqa(tmp_path, [], {"f": 1})
        (tmp_path / "cosqa-retrieval-train-1.json").write_bytes(text.encode("latin-1"))
        with pytest.raises(InputError, match=r"train-1.json: missing or not JSON .*") as error:
            read_corpus(tmp_path, "python")
        assert "\n" not in str(error.value)


def test_a_damaged_folder_of_datasets_is_one_line(tmp_path):
    as_datasets(tmp_path)
    for name in ("dataset_dict.json", "train/state.json", "train/dataset_info.json"):
        path = tmp_path / name
        whole = path.read_bytes()
        for content in (b"", whole[:15], b"[]", b'"x"', b"\xff", b"[" * 9999, b"{}"):
            path.write_bytes(content)
            try:
                read_corpus(tmp_path, "python")
            except InputError as error:
                assert "\n" not in f"{error}"
        path.write_bytes(whole[:15])
        with pytest.raises(InputError, match="not a whole folder of Hugging Face datasets: "):
            read_corpus(tmp_path, "python")
        path.write_bytes(whole)
    (arrow,) = (tmp_path / "train").glob("*.arrow")
    arrow.write_bytes(arrow.read_bytes()[:200])
    with pytest.raises(InputError, match="not a whole folder of Hugging Face datasets: "):
        read_corpus(tmp_path, "python")


@pytest.mark.parametrize(
    "name", ["train.jsonl.zst", "train.csv.gz", "final/jsonl/train/a.jsonl.xz"]
)
def test_a_packing_that_is_not_read(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x28\xb5\x2f\xfd")
    with pytest.raises(InputError, match=f"{path.name}: packed in a way that is not read: unpack"):
        read_corpus(tmp_path, "python")
    # The control: the unpacked file beside it is read, and so are checksums beside that.
    unpacked = path.with_suffix("")
    if unpacked.suffix == ".csv":
        write_csv(unpacked, [pair(0)])
    else:
        unpacked.write_text(json.dumps(pair(0)))
    unpacked.with_name(f"{unpacked.name}.sha256").write_text("0")
    assert len(read_corpus(tmp_path, "python", strict=True).train) == 1


def test_a_column_names_the_splits(tmp_path):
    names = ["train", "dev", "test", "train", "holdout"]
    rows = [pair(number) | {"partition": name} for number, name in enumerate(names)]
    write_csv(tmp_path / "pairs.csv", rows)
    corpus = read_corpus(tmp_path / "pairs.csv", "python")
    assert [len(corpus.train), len(corpus.valid), len(corpus.test)] == [2, 1, 1]
    (line,) = corpus.row_errors.lines()
    assert line.startswith("skipped 1 row: a partition that is none of train,")
    with pytest.raises(InputError, match=r"pairs\.csv:\d+: a partition that is none of"):
        read_corpus(tmp_path / "pairs.csv", "python", strict=True)


@pytest.mark.parametrize("end", ["csv", "parquet", "jsonl"])
def test_one_table_is_drawn_into_splits_by_its_code(tmp_path, end):
    """Rows need no url then; a function asked for twice is never in two splits."""
    path = tmp_path / f"pairs.{end}"
    rows = [{"query": f"q{n}", "code": f"code {n // 2}"} for n in range(400)]
    write = {
        "csv": write_csv,
        "parquet": write_parquet,
        "jsonl": lambda path, rows: path.write_text("".join(f"{json.dumps(r)}\n" for r in rows)),
    }[end]
    write(path, rows)
    corpus = read_corpus(path, "go", strict=True)
    sizes = [len(corpus.train), len(corpus.valid), len(corpus.test)]
    assert sum(sizes) == 400 and 280 < sizes[0] < 350 and min(sizes) > 20
    codes = [{p.code for p in pairs} for pairs in (corpus.train, corpus.valid, corpus.test)]
    assert not codes[0] & codes[1] and not codes[0] & codes[2] and not codes[1] & codes[2]
    assert "drew 80 % train, 10 % valid, 10 % test" in corpus.notes[0]
    path.rename(tmp_path / f"moved.{end}")
    assert texts(read_corpus(tmp_path / f"moved.{end}", "go")) == texts(corpus)


def test_absent_columns_are_named(tmp_path):
    write_csv(tmp_path / "pairs.csv", [{"question": "q", "answer": "a", "split": "train"}])
    (line,) = read_corpus(tmp_path / "pairs.csv", "go").row_errors.lines()
    assert "no query among its fields (question, answer, split)" in line


def test_unsure(tmp_path):
    as_csv(tmp_path)
    write_parquet(tmp_path / "train.parquet", [pair(0)])
    with pytest.raises(InputError, match=r"train\.csv and train\.parquet both exist"):
        read_corpus(tmp_path, "python")
    (tmp_path / "train.parquet").unlink()
    as_raw(tmp_path)
    with pytest.raises(InputError, match=r"\.csv files, one a split and raw CodeSearchNet: keep"):
        read_corpus(tmp_path, "python")
    other = tmp_path / "other"
    other.mkdir()
    write_csv(other / "mine.csv", [pair(0)])
    with pytest.raises(InputError, match=r"no data here that is known \(mine\.csv\)"):
        read_corpus(other, "python")
    (other / "ruby").mkdir()
    with pytest.raises(InputError, match=r"other: no data of this language, but of ruby$"):
        read_corpus(other, "python")
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(InputError, match=r"notes\.txt: --data takes a folder, or a file that ends"):
        read_corpus(tmp_path / "notes.txt", "python")


def test_broken_files(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 cut")
    with pytest.raises(InputError, match=r"a\.parquet: not a whole Parquet file"):
        read_corpus(tmp_path / "a.parquet", "go")
    (tmp_path / "b.csv").write_text('query,code\nq,c\nq,"open\n')
    with pytest.raises(InputError, match=r"b\.csv:\d: not CSV in UTF-8"):
        read_corpus(tmp_path / "b.csv", "go")
    (tmp_path / "c.csv").write_text("query,code\nq,c,extra\nq\n")
    (line,) = read_corpus(tmp_path / "c.csv", "go").row_errors.lines()
    assert line.startswith("skipped 2 rows: not 2 fields") and line.endswith("c.csv:2)")
    (tmp_path / "d.csv").write_bytes(b"query,code\nq,caf\xe9\n")
    with pytest.raises(InputError, match=r"d\.csv:2: bytes that are not UTF-8"):
        read_corpus(tmp_path / "d.csv", "go", strict=True)
    (tmp_path / "empty.csv").write_text("")
    assert read_corpus(tmp_path / "empty.csv", "go").train == []


def test_large_fields_and_a_spreadsheets_mark(tmp_path):
    code = "x" * 300_000
    path = tmp_path / "pairs.csv"
    path.write_text(f"query,code,split\nq,{code},train\n", encoding="utf-8-sig")
    assert len(read_corpus(path, "go").train[0].code) == 300_000
