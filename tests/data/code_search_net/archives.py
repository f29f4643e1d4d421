"""Small archives in exactly the forms in which CodeSearchNet is published."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

LANGUAGE = "ruby"
WORDS = (
    "sorts",
    "opens",
    "reads",
    "writes",
    "counts",
    "joins",
    "splits",
    "finds",
    "drops",
    "keeps",
)
# The names that the Hub's first mirror gave the columns.
HUB_NAMES = {
    "repo": "repository_name",
    "path": "func_path_in_repository",
    "original_string": "whole_func_string",
    "code": "func_code_string",
    "code_tokens": "func_code_tokens",
    "docstring": "func_documentation_string",
    "docstring_tokens": "func_documentation_tokens",
    "partition": "split_name",
    "url": "func_code_url",
}


def row(split: str, n: int, **changes) -> dict:
    """Function n of a split, as CodeSearchNet has it."""
    name = f"{WORDS[n % 10]}_{split}_{n}"
    code = f"def {name}(items)\n  items.{WORDS[n % 10]}\nend"
    docstring = f"{WORDS[n % 10].title()} the items of list number {n}."
    return {
        "repo": "owner/repo",
        "path": f"lib/{name}.rb",
        "func_name": name,
        "original_string": code.replace("\n", "\n  # what it does\n", 1),
        "language": LANGUAGE,
        "code": code,
        "code_tokens": ["def", name, "(", "items", ")", "items", ".", WORDS[n % 10], "end"],
        "docstring": docstring,
        "docstring_tokens": [*docstring[:-1].split(), "."],
        "sha": "0" * 40,
        "url": f"https://github.com/owner/repo/blob/{'0' * 40}/lib/{name}.rb#L1-L4",
        "partition": split,
    } | changes


SIZES = {"train": 30, "valid": 10, "test": 10}
RAW = {split: [row(split, n) for n in range(size)] for split, size in SIZES.items()}
# Every second function of a split; of the candidates, all but every fifth that is in none.
LISTS = {split: [r["url"] for r in rows[::2]][::-1] for split, rows in RAW.items()}
LISTS["codebase"] = [
    r["url"]
    for split in ("test", "valid")
    for n, r in enumerate(RAW[split])
    if n % 2 == 0 or n % 5 != 0
]
COUNTS = (15, 5, 5, len(LISTS["codebase"]))


def jsonl(rows: list[dict]) -> bytes:
    return "".join(f"{json.dumps(r)}\n" for r in rows).encode()


def zenodo_zip(raw: dict[str, list[dict]] = RAW, language: str = LANGUAGE) -> bytes:
    """`ruby.zip`: gzipped JSON lines, two files of train, and the pickles that nobody reads."""
    members = {f"{language}_dedupe_definitions_v2.pkl": b"\x80\x04never read"}
    for split, rows in raw.items():
        half = len(rows) // 2 if split == "train" else len(rows)
        for number, some in enumerate(filter(None, (rows[:half], rows[half:]))):
            name = f"{language}/final/jsonl/{split}/{language}_{split}_{number}.jsonl.gz"
            members[name] = gzip.compress(jsonl(some))
    return zipped(members)


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def parquet(rows: list[dict], names: dict[str, str] | None = None, group: int = 7) -> bytes:
    """Rows of the Hub, in row groups, under its names of columns or its first mirror's."""
    names = names or {}
    table = pa.Table.from_pylist([{names.get(k, k): v for k, v in r.items()} for r in rows])
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=group)
    return buffer.getvalue()


def hub_parquet(names: dict[str, str] | None = None) -> dict[str, bytes]:
    """`ruby/train-00000-of-00001.parquet` and so on."""
    called = {"train": "train", "valid": "validation", "test": "test"}
    return {
        f"{LANGUAGE}/{called[split]}-00000-of-00001.parquet": parquet(rows, names)
        for split, rows in RAW.items()
    }


def converted_parquet() -> dict[str, bytes]:
    """`ruby/train/0000.parquet` and so on, as the Hub converts datasets."""
    return {
        f"{name.split('-')[0]}/0000.parquet": content
        for name, content in hub_parquet(HUB_NAMES).items()
    }


def list_texts() -> dict[str, bytes]:
    """`ruby/train.txt` and so on."""
    return {f"{LANGUAGE}/{split}.txt": "\n".join(u).encode() for split, u in LISTS.items()}


def dataset_zip() -> bytes:
    """GraphCodeBERT's `dataset.zip`, which has the lists of every language."""
    texts = {f"dataset/{name}": content for name, content in list_texts().items()}
    texts |= {name.replace("ruby", "go"): b"https://other\n" for name in texts}
    return zipped({"dataset/run.sh": b"unzip ruby.zip\n", "dataset/preprocess.py": b""} | texts)


def on_zenodo(server, record: int, files: dict[str, bytes]) -> None:
    """Puts a record of Zenodo on a server."""
    listed = []
    for name, content in files.items():
        path = f"/api/records/{record}/files/{name}/content"
        server.files[path] = content
        checksum = f"md5:{hashlib.md5(content).hexdigest()}"
        links = {"self": f"{server.base}{path}"}
        listed.append({"key": name, "size": len(content), "checksum": checksum, "links": links})
    server.files[f"/api/records/{record}"] = json.dumps({"files": listed}).encode()


def write(folder: Path, files: dict[str, bytes]) -> str:
    """Writes files below a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return str(folder)


def by_url(split: str) -> list[dict]:
    """The rows that a split's list names, in its order."""
    rows = {row["url"]: row for rows in RAW.values() for row in rows}
    return [rows[url] for url in LISTS[split]]
