"""Mining hard negatives, and training with them: oracles, collisions, resuming, refusals."""

from __future__ import annotations

import dataclasses
import json
import shutil
import signal

import jax
import numpy as np
import pytest
from softnce_jax.train.hard_negatives_config import HardNegativesConfig

from softnce_jax.commands.evaluate import open_model
from softnce_jax.commands.mine_negatives import mine_negatives
from softnce_jax.data.corpus import unique_functions
from softnce_jax.data.hard_negatives import read_negatives
from softnce_jax.data.load import read_corpus
from softnce_jax.data.sample import load_sample
from softnce_jax.dataflow.cache import GraphCodes, Settings
from softnce_jax.dataflow.example import GraphRows
from softnce_jax.encoders.embed import Embedder
from softnce_jax.encoders.processor import Processor
from softnce_jax.encoders.tokenizer import Tokenizer
from softnce_jax.errors import InputError
from softnce_jax.estimators.bm25 import average_length
from softnce_jax.pretrained.load import load
from softnce_jax.pretrained.tiny import train_tokenizer
from softnce_jax.retrieval.bm25 import Bm25
from softnce_jax.train import run_folder as run_module
from softnce_jax.train.batches import batch_indices, batches
from softnce_jax.train.config import Config, EvaluateConfig
from softnce_jax.train.features import make_features, precomputed_estimators
from softnce_jax.train.fit import fit
from softnce_jax.train.setup import prepare_data
from tests import reference
from tests.data.folders import write_folder
from tests.small_model import write_model
from tests.train.corpus import write_tasks
from tests.train.runs import metrics, same_run


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    """20 tasks; of the 24 training pairs one has the query and one the code of another's."""
    folder = write_tasks(tmp_path_factory.mktemp("tasks") / "tasks")
    rows = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    rows[9]["query"] = rows[0]["query"]
    for row in rows[12:14]:
        row["code"] = rows[2]["code"]
    return write_folder(folder, train=rows)


def mined(tasks, out=None, said=None, **given):
    """The lines of a file mined with so much said."""
    settings = {"model": "bm25", "lang": "python", "data": str(tasks)} | given
    config = HardNegativesConfig(**settings, out=None if out is None else str(out))
    path = mine_negatives(config, (lambda _: None) if said is None else said.append)
    about, *lines = map(json.loads, path.read_text("utf-8").splitlines())
    return path, about, lines


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
        own = row[urls.index(pair.url)]
        kept = [x for x in wrong[:last] if margin is None or x[1] <= own - margin * abs(own)]
        expected.append(kept[:k])
    return expected


def test_bm25_by_the_full_matrix(tasks, tmp_path):
    said = []
    _, about, lines = mined(tasks, tmp_path / "x.jsonl", said, k=4, relative_margin=0.2)
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
    assert 0 < short < 24 and f"{short} of 24 queries have fewer than 4 negatives left" in said[0]
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
    embed = Embedder(encoder, jax.make_mesh((1,), ("data",), devices=jax.devices()[:1]))
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
    assert len(lines) == 6 * 128 and about["train"].keys() == about["queries"].keys()
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
    data = prepare_data(given)
    assert len(data.train) == len(lines) == about["queries"]["go"]["all"] == 108
    tested = {pair.url for corpus in data.corpora for pair in (*corpus.valid, *corpus.test)}
    assert not tested & {url for line in lines for url in line["negatives"]}
    with pytest.raises(InputError, match="with the same --data, --lang and --fold"):
        prepare_data(dataclasses.replace(given, fold=None))


BAD = {
    "none": ({"k": 0}, "--k 0 is not positive"),
    "ranks": ({"ranks": (0, 5)}, "--ranks 0 5: give the first, from 1"),
    "few ranks": ({"ranks": (3, 6), "k": 5}, "--ranks 3 6 are 4 places, fewer than --k 5"),
    "beyond": ({"ranks": (12, 99)}, "--ranks 12 99, but python has 11 wrong functions"),
    "margin": ({"absolute_margin": float("nan")}, "--absolute-margin nan is not a finite"),
    "model": ({"model": "nowhere"}, "nowhere: no such folder"),
    "out": ({"out": "x.txt"}, "--out x.txt: the file holds JSON lines"),
}


@pytest.mark.parametrize(("given", "message"), BAD.values(), ids=BAD)
def test_bad_input_before_any_work(tasks, given, message):
    with pytest.raises(InputError, match=message):
        mined(tasks, **given)
    assert not (tasks / "negatives").exists()


@pytest.fixture(scope="module")
def file(tasks, tmp_path_factory):
    return mined(tasks, tmp_path_factory.mktemp("mined") / "hard.jsonl", k=3)[0]


def config(tasks, out, file, **given) -> Config:
    settings = {"epochs": 1, "batch_size": 8, "evaluate_every": 1.0, "encoder": "tiny"}
    settings |= {"query_length": 16, "code_length": 32, "negatives": file and str(file)}
    return Config(lang="python", data=str(tasks), out=str(out), **(settings | given))


def test_the_configuration_is_settled_by_the_file(tasks, file):
    data = prepare_data(dataclasses.replace(config(tasks, None, file), out=None))
    assert data.config.negatives_per_query == 3 and data.negatives.index_RK.shape == (24, 3)
    assert data.config.out.endswith("-negatives3")
    fewer = prepare_data(config(tasks, None, file, negatives_per_query=1))
    np.testing.assert_array_equal(fewer.negatives.index_RK[2:3], data.negatives.index_RK[2:3, :1])
    # With hard negatives there are enough to cancel 20 of a batch of 8.
    settings = {"loss": "cancel_top_k", "cancel_k": 20}
    assert prepare_data(config(tasks, None, file, **settings)).config.cancel_k == 20
    with pytest.raises(InputError, match="--cancel-k 20 of 7 negatives"):
        prepare_data(config(tasks, None, None, **settings))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"negatives_per_query": 4}, "--negatives-per-query 4: .*hard.jsonl has 3 of a query"),
        ({"negatives": "nowhere.jsonl"}, "nowhere.jsonl: no such JSON lines"),
        ({"data": "sample"}, r"not mined from .*: 0 of its .*, 105 of 128 queries are not in it"),
        ({"negatives": None, "negatives_per_query": 2}, "--negatives-per-query 2 of which file"),
    ],
)
def test_negatives_that_do_not_fit_leave_no_run(tasks, file, tmp_path, given, message):
    with pytest.raises(InputError, match=message):
        fit(dataclasses.replace(config(tasks, tmp_path / "run", file), **given), lambda _: None)
    assert not (tmp_path / "run").exists()


LENGTHS = """
import numpy as np

def lengths(queries, codes):
    return np.array([[len(q), 1.0] for q in queries]), np.array([[len(c), 1.0] for c in codes])
"""


def test_weights_are_of_the_hard_negatives_own_texts(tasks, file, tmp_path, monkeypatch):
    """BM25 of the query of each candidate's pair, and a function of its code, (B, N)."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "user_hard.py").write_text(LENGTHS)
    data = prepare_data(config(tasks, None, file))
    pairs, near = data.train, data.negatives.index_RK
    processor = Processor(Tokenizer(train_tokenizer([pair.query for pair in pairs], 300)), 16, 16)
    indices = batch_indices(24, 8, seed=0)
    drawn = [j for i in indices[1] for j in (i, *near[i])]
    ids = processor.queries([pair.query for pair in pairs])
    documents = [ids[j] for j in drawn]
    bm25 = reference.bm25([ids[i] for i in indices[1]], average_length(ids), documents=documents)
    lengths = [[len(pairs[i].query) * len(pairs[j].code) + 1 for j in drawn] for i in indices[1]]
    for estimator, expected in (("bm25", bm25), ("user_hard:lengths", lengths)):
        given = dataclasses.replace(data.config, estimator=estimator)
        made = make_features(
            data._replace(config=given, frozen=precomputed_estimators(given)), processor
        )
        batch = batches(indices, pairs, processor, made, keys=True, negatives=near)[1]
        found = batch.query_features @ batch.code_features.T
        assert found.shape == (8, 32)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_code_with_data_flow(tasks, file):
    """Rows with data flow have one shape, hard negatives among them."""
    pairs = read_corpus(tasks, "python").train
    tokenizer = Tokenizer(train_tokenizer([pair.code for pair in pairs], 300))
    graphs = GraphCodes(tokenizer, Settings("published", 32, 16))
    graphs.prepare(pairs)
    near = read_negatives(str(file), pairs).index_RK
    indices = batch_indices(24, 8, seed=0)
    processor = Processor(tokenizer, 16, 32, graphs, packed=False)
    batch = batches(indices, pairs, processor, keys=True, negatives=near)[0]
    assert isinstance(batch.texts.codes, GraphRows)
    drawn = [pairs[j] for i in indices[0] for j in (i, *near[i])]
    for found, expected in zip(batch.texts.codes, graphs.pad(graphs(drawn)), strict=True):
        assert len(found) == 32
        np.testing.assert_array_equal(found, expected)


@pytest.fixture(scope="module")
def whole(tasks, file, tmp_path_factory):
    """A run with hard negatives: its folder, results and what it said."""
    out, said = tmp_path_factory.mktemp("runs") / "whole", []
    return out, fit(config(tasks, out, file), said.append), "\n".join(said)


@pytest.mark.slow
def test_a_run_says_what_it_stands_on(whole, file, tasks, tmp_path):
    out, results, said = whole
    assert f"negatives 3 hard ones a query, by bm25 ({file})" in said
    assert (
        "texts     24 of 24 training pairs have the text of another (2 its query, 24 its code)"
        in said
    )
    assert results["config"]["negatives"] == str(file)
    assert results["config"]["negatives_per_query"] == 3
    assert results["negatives"]["model"] == "bm25" and results["negatives"]["filled"] > 0
    assert results["duplicates"]["code"] == 24
    without = tmp_path / "without"
    fit(config(tasks, without, None), lambda _: None)
    losses = [[m["loss"] for m in metrics(run) if "loss" in m] for run in (out, without)]
    assert len(losses[0]) == 3 and min(a - b for a, b in zip(*losses, strict=True)) > 0.1
    # 8 · 4 candidates; what is right for a row, or filled with it, is none of its negatives.
    assert 1 / 31 <= metrics(out)[0]["p_mean"] < 1 / 24
    # A checkpoint of it needs no file of negatives.
    moved = file.rename(file.with_name("moved.jsonl"))
    open_model(EvaluateConfig(model=str(out / "checkpoints" / "3")))
    moved.rename(file)


@pytest.mark.slow
def test_stopped_and_resumed_ends_with_the_same_bits(whole, tasks, file, tmp_path, monkeypatch):
    log = run_module.RunFolder.log

    def log_and_signal(self, line):
        log(self, line)
        if line["step"] == 1:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(run_module.RunFolder, "log", log_and_signal)
    with pytest.raises(SystemExit):
        fit(config(tasks, tmp_path / "run", file), lambda _: None)
    monkeypatch.undo()
    elsewhere = shutil.copy(file, tmp_path / "elsewhere.jsonl")
    said = []
    fit(config(tasks, tmp_path / "run", elsewhere), said.append)
    assert any("resuming after step" in line for line in said)
    stored = tmp_path / "run" / "results.json"
    stored.write_text(stored.read_text().replace(str(elsewhere), str(file)))
    assert same_run(whole[0], tmp_path / "run")


@pytest.mark.slow
def test_another_file_is_another_run(whole, tasks, tmp_path):
    other, _, _ = mined(tasks, tmp_path / "other.jsonl", k=3, ranks=(2, 9))
    with pytest.raises(InputError, match=r"another configuration \(negatives_hash: '\w+' -> '\w+'"):
        fit(config(tasks, whole[0], other), lambda _: None)
