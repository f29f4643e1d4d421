"""The Hub: only the cache is read unless a download is asked for; then few files are fetched."""

from __future__ import annotations

import pytest
from huggingface_hub import constants

from softnce_jax.errors import InputError
from softnce_jax.pretrained import hub
from softnce_jax.pretrained.convert import to_published
from softnce_jax.pretrained.load import load
from softnce_jax.pretrained.presets import preset
from tests.pretrained.folders import assert_same, sharded

pytestmark = pytest.mark.interop


def test_a_hub_id_is_taken_from_the_cache_only(roberta, roberta_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        ValueError, match=r"revision refs/pr/5 is not in .*fetch it with --download"
    ):
        load("unixcoder")
    repository = tmp_path / "models--microsoft--unixcoder-base"
    (repository / "refs/refs/pr").mkdir(parents=True)
    (repository / "refs/refs/pr/5").write_text("f00")
    (repository / "snapshots").mkdir()
    roberta_folder.rename(repository / "snapshots/f00")
    encoder, params = load("unixcoder")
    assert_same(params, roberta.params)
    assert encoder.pooling == "mean"
    assert encoder.tokenizer.fast.convert_ids_to_tokens(encoder.tokenizer.head) == [
        "<s>", "<encoder-only>", "</s>",
    ]  # fmt: skip
    with pytest.raises(InputError, match="revision main is not in the Hub cache"):
        load("unixcoder", revision="main")


def test_download_fetches_one_weight_file(roberta_folder, monkeypatch):
    asked = {}

    def snapshot(name, **options):
        asked.update(options, name=name)
        return str(roberta_folder)

    files = ["config.json", "pytorch_model.bin", "flax_model.msgpack", "tf_model.h5"]
    monkeypatch.setattr(hub.HfApi, "list_repo_files", lambda self, name, revision: files)
    monkeypatch.setattr(hub, "snapshot_download", snapshot)
    load("codebert", download=True)
    assert (asked["name"], asked["revision"]) == (
        "microsoft/codebert-base",
        preset("codebert").revision,
    )
    assert asked["allow_patterns"] == [*hub.SMALL_FILES, "flax_model.msgpack"]


def test_download_fetches_the_files_that_an_index_names(bert, bert_folder, monkeypatch):
    index = sharded(bert_folder, to_published(bert.params))
    asked = []

    def snapshot(name, *, revision, allow_patterns):
        asked.append(allow_patterns)
        return str(bert_folder)

    files = [path.name for path in bert_folder.iterdir()] + ["pytorch_model.bin", "model-9.x"]
    monkeypatch.setattr(hub.HfApi, "list_repo_files", lambda self, name, revision: files)
    monkeypatch.setattr(hub, "snapshot_download", snapshot)
    assert_same(load("codebert", download=True)[1], bert.params)
    assert asked[0] == hub.SMALL_FILES
    assert set(asked[1]) == {*hub.SMALL_FILES, *index["weight_map"].values()}


def test_download_offline_says_so_in_one_line():
    with pytest.raises(InputError, match=r"codebert-base \(revision .*cannot be fetched") as caught:
        load("codebert", download=True)
    said = str(caught.value)
    assert "\n" not in said and said.endswith("; without a network, name the folder of a model")


def test_the_reason_is_that_at_the_bottom():
    """As requests wraps urllib3's errors, each in the text of the next."""

    class Wrapping(Exception):
        def __init__(self, reason):
            super().__init__(f"Max retries exceeded (Caused by {reason!r})")
            self.reason = reason

    bottom = OSError("<urllib3.connection.HTTPSConnection at 0x7f>: Failed to resolve 'hub'")
    assert hub._reason(ConnectionError(Wrapping(bottom))) == "Failed to resolve 'hub'"
    assert hub._reason(ValueError("no such revision")) == "no such revision"


@pytest.mark.parametrize("name", ["../../x.json", "/tmp/x.json", "a/../../x.txt"])
def test_a_listing_cannot_name_files_outside_the_cache(name, monkeypatch):
    def snapshot(*_, **options):
        raise AssertionError(f"fetched {options}")

    monkeypatch.setattr(hub.HfApi, "list_repo_files", lambda self, repo, revision: [name])
    monkeypatch.setattr(hub, "snapshot_download", snapshot)
    with pytest.raises(InputError, match="is not the name of a file below"):
        load("codebert", download=True)
