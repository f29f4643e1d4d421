"""Prepared data: read when asked for, the same rows as from JSON lines, and trained on."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from softnce_jax.data.code_search_net.prepared import read_prepared
from softnce_jax.data.code_search_net.published import ABOUT, VERSION
from softnce_jax.data.corpus import Joined
from softnce_jax.data.load import load_corpora, prepared_folder, read_corpus
from softnce_jax.errors import InputError
from softnce_jax.files import write_json
from softnce_jax.train.config import Config
from softnce_jax.train.fit import identify
from softnce_jax.train.run_folder import RunFolder
from softnce_jax.train.setup import read_data
from tests.data.code_search_net import archives
from tests.data.code_search_net.archives import write
from tests.data.folders import write_folder


def test_the_same_rows_as_from_json_lines(corpus, tmp_path):
    splits = {name: archives.by_url(name) for name in ("train", "valid", "test", "codebase")}
    plain = read_corpus(write_folder(tmp_path / "mine", **splits), "ruby")
    for name in splits:
        assert list(getattr(corpus, name)) == getattr(plain, name)
    assert corpus.hash() != plain.hash() == dataclasses.replace(plain).hash()


def test_rows_are_a_sequence(corpus):
    rows = list(corpus.train)
    assert len(corpus.train) == len(rows) == 15
    assert corpus.train[3] == rows[3] == corpus.train[np.int64(3)] == corpus.train[-12]
    assert corpus.train[2:9:3] == rows[2:9:3] and corpus.train[:0] == []
    assert rows[4] in corpus.train and corpus.train.index(rows[4]) == 4
    for index in (15, -16):
        with pytest.raises(IndexError, match=f"row {index} of 15"):
            corpus.train[index]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(corpus.train.__getitem__, list(range(15)) * 20))
    assert found == rows * 20


def test_the_hash_needs_no_rows_and_follows_them(corpus, monkeypatch):
    whole = corpus.hash()
    other = dataclasses.replace(corpus, train=corpus.train[:14])
    assert other.hash() != whole
    monkeypatch.setattr("softnce_jax.data.code_search_net.prepared.to_texts", None)
    assert corpus.hash() == whole


def test_training_pairs_of_a_run_stay_on_disk(corpus):
    prepared = read_data(Config(lang="ruby", encoder="tiny", batch_size=8, epochs=1))
    assert isinstance(prepared.train, Joined) and len(prepared.train) == 15
    assert list(prepared.train) == list(corpus.train) and prepared.train[7] == corpus.train[7]


def test_two_languages_end_to_end(corpus):
    both = Joined([corpus.train, [], corpus.test])
    assert len(both) == 20 and both[15] == corpus.test[0] and both[-1] == corpus.test[4]
    assert list(both) == [*corpus.train, *corpus.test] and both[13:17] == list(both)[13:17]


@pytest.mark.parametrize("name", ["train", "test"])
def test_damage_is_told_before_any_work(corpus, data, name):
    folder = prepared_folder(data / "code_search_net", "ruby")
    (path,) = folder.glob(f"*-{name}.array_record-*")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"is damaged .*: remove it and run experiments/prepare"):
        read_prepared(folder, "ruby")
    path.unlink()
    with pytest.raises(InputError, match="is damaged"):
        read_prepared(folder, "ruby")
    path.write_bytes(whole)
    read_prepared(folder, "ruby")


def test_modules_that_the_data_name_are_not_imported(corpus, data, tmp_path, monkeypatch):
    folder = prepared_folder(data / "code_search_net", "ruby")
    path, canary = folder / "features.json", tmp_path / "canary"
    (tmp_path / "evil_features.py").write_text(f"open({str(canary)!r}, 'w').close()")
    monkeypatch.syspath_prepend(tmp_path)
    whole = path.read_text()
    for name in ("tensorflow_datasets.core.features.text_feature.Text", "pythonClassName"):
        assert name in whole
    evil = whole.replace("tensorflow_datasets.core.features.text_feature", "evil_features")
    for text in (evil, evil.replace("pythonClassName", "python\\u0043lassName"), "[]"):
        path.write_text(text)
        with pytest.raises(InputError, match="is damaged"):
            read_prepared(folder, "ruby")
        assert not canary.exists()
    path.write_text(whole)  # negative control
    read_prepared(folder, "ruby")


@pytest.mark.parametrize("content", ["[]", '{"bytes": 1}', '{"bytes": {"a": "b"}}', "{"])
def test_a_damaged_description_is_one_line(corpus, data, content):
    folder = prepared_folder(data / "code_search_net", "ruby")
    (folder / "softnce.json").write_text(content)
    with pytest.raises(InputError, match="is damaged") as caught:
        read_prepared(folder, "ruby")
    assert "\n" not in str(caught.value)


def test_only_its_own_version_is_read(corpus, data):
    folder = prepared_folder(data / "code_search_net", "ruby")
    assert folder.name == VERSION
    for name in ("1.0.0", "9.0.0", f"incomplete.ABC_{VERSION}"):
        folder.with_name(name).mkdir()
        (folder.with_name(name) / ABOUT).write_text("{}")
    assert prepared_folder(data / "code_search_net", "ruby") == folder
    (folder / ABOUT).write_text("{}")
    with pytest.raises(InputError, match="is damaged"):
        load_corpora("auto", "ruby")


@pytest.mark.parametrize("select", ["lists", "rules"])
def test_data_of_another_version_are_refused_with_the_command(corpus, data, run, by_hand, select):
    folder = prepared_folder(data / "code_search_net", "ruby")
    old = folder.rename(folder.with_name("1.0.0"))
    about = json.loads((old / ABOUT).read_text())
    (old / ABOUT).write_text(json.dumps(about | {"select": select}))
    rules = " --select rules" if select == "rules" else ""
    for given in ("auto", str(data / "code_search_net")):
        with pytest.raises(InputError) as error:
            load_corpora(given, "ruby")
        assert f"{error.value}" == (
            f"{old}: version 1.0.0 of the prepared data, not {VERSION}, which has the functions as "
            f"they were written: prepare again, python experiments/prepare.py --lang ruby{rules}"
        )
    run(folder=by_hand, select=select)  # which is that command
    (again,), _ = load_corpora("auto", "ruby")
    assert again.train[0].source != again.train[0].code
    assert (again.hash() == corpus.hash()) == (select == "lists")


def test_data_of_another_version_that_lie_elsewhere(corpus, data):
    folder = prepared_folder(data / "code_search_net", "ruby")
    folder.rename(folder.with_name("1.0.0"))
    moved = data.rename(data.with_name("moved here"))
    with pytest.raises(InputError, match=f"again, SOFTNCE_DATA='{moved}' python experiments/"):
        load_corpora(str(moved / "code_search_net"), "ruby")


def test_a_run_on_data_of_another_version_is_another_run(corpus, tmp_path):
    given = Config(lang="ruby", encoder="tiny", batch_size=8, epochs=1)
    identity = identify(given, read_data(given), {})
    old = dataclasses.replace(
        corpus, train=[dataclasses.replace(p, source="") for p in corpus.train]
    )
    write_json(tmp_path / "config.json", identity | {"data_hash": [old.hash()]})
    with pytest.raises(InputError, match=r"holds a run of another configuration \(data_hash"):
        RunFolder(tmp_path, identity)


def test_files_in_the_data_folder_are_read_as_before(data):
    splits = {name: archives.by_url(name) for name in ("train", "valid", "test", "codebase")}
    write_folder(data / "code_search_net" / "ruby", **splits)
    (found,), notes = load_corpora("auto", "ruby")
    assert len(found.train) == 15 and found.protocol is None and not notes
    (_, *_), notes = load_corpora("auto", "all")
    assert "(javascript, go, python, java, php)" in notes[0]
    assert "python experiments/prepare.py --lang all" in notes[0]


def test_prepared_data_are_read_from_wherever_they_lie(corpus, data):
    moved = data.rename(data.with_name("moved")) / "code_search_net"
    (found,), notes = load_corpora(str(moved), "ruby")
    assert found.hash() == corpus.hash() and not notes


def test_what_was_only_begun_is_not_there(run, tmp_path, data):
    with pytest.raises(InputError):
        run(folder=write(tmp_path / "by_hand", {"r.zip": archives.zenodo_zip()[:-9]}))
    (data / "code_search_net" / "ruby" / "incomplete.ABC_2.0.0").mkdir(parents=True)
    (sample,), notes = load_corpora("auto", "ruby")
    assert sample.name == "sample" and "no CodeSearchNet (ruby)" in notes[0]


@pytest.mark.slow
def test_the_programs_from_files_by_hand_to_a_result(by_hand, data, tmp_path):
    root = Path(__file__).resolve().parents[3]

    def program(name: str, *flags: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, root / "experiments" / name, *flags],
            cwd=tmp_path, capture_output=True, text=True, timeout=600,
        )  # fmt: skip

    prepared = program("prepare.py", "--lang", "ruby", "--from", by_hand, "--processes", "2")
    assert prepared.returncode == 0, prepared.stderr
    assert "not as published: codebase 18 instead of 4,360" in prepared.stdout
    flags = ["--encoder", "tiny", "--batch-size", "8", "--epochs", "1", "--out", "run"]
    trained = program("finetune.py", "--lang", "ruby", *flags)
    assert trained.returncode == 0, trained.stderr
    assert "15 train, 5 valid, 5 test pairs, 18 candidates" in trained.stdout
    protocol = json.loads((tmp_path / "run" / "results.json").read_text())["protocol"]["ruby"]
    assert "codebase 18 instead of 4,360: not the published protocol" in protocol["data"]
    folder = write(tmp_path / "x", {"a.zip": b"PK\3\4"})
    damaged = program("prepare.py", "--lang", "go", "--from", folder)
    assert damaged.returncode == 1 and damaged.stderr.count("\n") == 1
    assert "a.zip: not a whole zip" in damaged.stderr
