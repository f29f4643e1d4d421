"""Mining hard negatives: oracles, languages and folds apart, refusals."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil

import jax
import numpy as np
import pytest

from softnce_jax.data.corpus import unique_functions
from softnce_jax.data.hard_negatives import read_negatives
from softnce_jax.data.load import read_corpus
from softnce_jax.data.sample import load_sample
from softnce_jax.encoders.embed import Embedder
from softnce_jax.encoders.processor import Processor
from softnce_jax.errors import InputError
from softnce_jax.languages import LANGUAGES
from softnce_jax.mesh import make_mesh
from softnce_jax.pretrained.load import load
from softnce_jax.retrieval.bm25 import Bm25
from softnce_jax.train.config import Config
from tests.commands.mined import mined, write_repeated_tasks
from tests.data.folders import write_folder
from tests.small_model import write_model
from tests.train.prepare import prepare


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    return write_repeated_tasks(tmp_path_factory.mktemp("tasks") / "tasks")


def full_matrix(pairs, score_QM, k, last=100, margin=None):
    """(url, score) of each query's negatives, from all scores of functions."""
    functions = {}
    for pair in pairs:
        functions.setdefault(pair.url, pair)
    urls = list(functions)
    expected = []
    for pair, row in zip(pairs, score_QM, strict=True):
        wrong = []
        for m in sorted(range(len(urls)), key=lambda m: (-row[m], m)):
            asked = {p.query for p in pairs if p.url == urls[m]}
            same = functions[urls[m]].code == pair.code or pair.query in asked
            if urls[m] != pair.url and not same:
                wrong.append((urls[m], float(row[m])))
        positive = row[urls.index(pair.url)]
        most = math.inf if margin is None else positive - margin * abs(positive)
        expected.append([x for x in wrong[:last] if x[1] <= most][:k])
    return expected


def test_bm25_by_the_full_matrix(tasks, tmp_path, caplog):
    _, about, lines = mined(tasks, tmp_path / "x.jsonl", k=4, relative_margin=0.2)
    pairs = read_corpus(tasks, "python").train
    codes = {}
    for pair in pairs:
        codes.setdefault(pair.url, pair.code)
    (score_QM,) = Bm25(list(codes.values())).score_blocks([pair.query for pair in pairs])
    expected = full_matrix(pairs, np.where(score_QM > 0, score_QM, -np.inf), 4, margin=0.2)
    expected = [[x for x in row if x[1] > -np.inf] for row in expected]
    assert [(line["url"], line["query"]) for line in lines] == [(p.url, p.query) for p in pairs]
    for line, row in zip(lines, expected, strict=True):
        assert list(zip(line["negatives"], line["scores"], strict=True)) == row
    short = sum(len(row) < 4 for row in expected)
    assert 0 < short < 24
    assert f"{short} of 24 queries have fewer than 4 negatives left" in caplog.messages[0]
    assert about["queries"]["python"]["short"] == short
    assert about["k"] == 4 and about["model"] == "bm25" and about["relative_margin"] == 0.2
    # The control: the margin took some away.
    _, _, free = mined(tasks, tmp_path / "y.jsonl", k=4)
    assert [line["negatives"] for line in free] != [line["negatives"] for line in lines]


def test_a_model_by_the_full_matrix(tasks, tmp_path):
    pairs = read_corpus(tasks, "python").train
    model = write_model(tmp_path / "model", [pair.query for pair in pairs])
    data = shutil.copytree(tasks, tmp_path / "data")
    path, about, lines = mined(data, model=str(model), k=3, ranks=(2, 9))
    assert path.parent == data / "negatives" and path.name.startswith("python-model-")
    assert len(about["model_hash"]) == 64
    encoder, params = load(model)
    embed = Embedder(encoder, make_mesh(jax.devices()[:1]))
    processor = Processor(encoder.tokenizer, encoder.query_length, encoder.code_length)
    first = [pairs[r] for r in unique_functions(pairs).pair_M]
    q = embed(params, processor.queries([pair.query for pair in pairs])).astype(float)
    score_QM = q @ embed(params, processor.codes(first)).astype(float).T
    for line, row in zip(lines, full_matrix(pairs, score_QM, 9, last=9), strict=True):
        urls, scores = zip(*row, strict=True)
        assert line["negatives"] == list(urls[1:4])
        np.testing.assert_allclose(line["scores"], scores[1:4], rtol=1e-4)
    # The next mining reads the vectors that lie beside the data.
    assert len(list((data / "features").iterdir())) == 1
    assert mined(data, tmp_path / "z.jsonl", model=str(model), k=3, ranks=(2, 9))[2] == lines


def test_each_language_by_itself_and_one_of_them(tmp_path):
    path, about, lines = mined("sample", tmp_path / "all.jsonl", lang="all", k=2)
    assert len(lines) == len(LANGUAGES) * 128 and about["train"].keys() == about["queries"].keys()
    for line in lines[:: 128 // 2]:
        assert all(f"/{line['language']}/" in url for url in line["negatives"])
    pairs = load_sample("go").train
    found = read_negatives(str(path), pairs)
    wanted = {(x["url"], x["query"]): x["negatives"] for x in lines if x["language"] == "go"}
    for pair, index_K in zip(pairs, found.index_RK, strict=True):
        urls = wanted[pair.url, pair.query]
        assert [pairs[i].url for i in index_K[: len(urls)]] == urls


def test_a_folds_own_training_pairs(tmp_path):
    path, about, lines = mined("sample", tmp_path / "fold.jsonl", lang="go", k=2, fold=1)
    given = Config(lang="go", data="sample", negatives=str(path), fold=1)
    _, data = prepare(given)
    assert len(data.train) == len(lines) == about["queries"]["go"]["all"] == 108
    tested = {pair.url for corpus in data.corpora for pair in (*corpus.valid, *corpus.test)}
    assert not tested & {url for line in lines for url in line["negatives"]}
    with pytest.raises(InputError, match="with the same --data, --lang and --fold"):
        prepare(dataclasses.replace(given, fold=None))


BAD = {
    "none": ({"k": 0}, "--k 0: expected int >= 1"),
    "many": ({"k": 1001, "ranks": (1, 2000)}, "--k 1001 is more than 1,000"),
    "ranks": ({"ranks": (0, 5)}, r"--ranks .*\[0\]: expected int >= 1"),
    "few ranks": ({"ranks": (3, 6), "k": 5}, "--ranks 3 6 are 4 ranks, fewer than --k 5"),
    "beyond": ({"ranks": (12, 99)}, "--ranks 12 99, but python has 11 wrong functions"),
    "margin": ({"absolute_margin": float("nan")}, "--absolute-margin nan: expected float, finite"),
    "model": ({"model": "nowhere"}, "nowhere: no such folder"),
    "out": ({"out": "x.txt"}, "--out x.txt: the file holds JSON lines"),
}


@pytest.mark.parametrize(("given", "message"), BAD.values(), ids=BAD)
def test_bad_input_before_any_work(tasks, given, message):
    with pytest.raises(InputError, match=message):
        mined(tasks, **given)
    assert not (tasks / "negatives").exists()


def test_bm25_of_functions_without_words_is_one_line_before_any_work(tasks, tmp_path, caplog):
    rows = [json.loads(line) for line in (tasks / "train.jsonl").read_text().splitlines()]
    for row in rows:
        row["code"] = "[" + ">+" * len(row["url"]) + "]"
    data = write_folder(tmp_path / "data", train=rows)
    with pytest.raises(InputError, match="--model bm25 finds no word in any of the 12 python") as e:
        mined(data)
    assert "\n" not in str(e.value) and not (data / "negatives").exists() and not caplog.messages
    # The control: one word is enough.
    rows[0]["code"] = rows[9]["query"]
    _, about, _ = mined(write_folder(data, train=rows), tmp_path / "x.jsonl")
    assert about["queries"]["python"]["none"] < 24
