"""A data folder of the test's own, and servers on this machine in place of the network's."""

from __future__ import annotations

import pytest

from softnce_jax.commands import prepare
from softnce_jax.data import download
from softnce_jax.data.code_search_net import mirrors, published
from softnce_jax.data.load import load_corpora
from tests.data.code_search_net import archives
from tests.data.server import as_hub, serving


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """Prepared data go below the test's folder."""
    monkeypatch.setenv("SOFTNCE_DATA", str(tmp_path / "data"))
    monkeypatch.setitem(published.COUNTS, archives.LANGUAGE, archives.COUNTS)
    return tmp_path / "data"


@pytest.fixture
def server(monkeypatch):
    """Every host is this server, which has nothing yet."""
    monkeypatch.setattr(download.fetch, "__kwdefaults__", {"patience": 1.0, "tries": 2, "pause": 0})
    with serving() as server, as_hub(server.base):
        monkeypatch.setattr(mirrors, "HOSTS", dict.fromkeys(mirrors.HOSTS, server.base))
        yield server


@pytest.fixture
def run(caplog):
    """Prepares Ruby in this process; returns the messages."""

    def run(**flags) -> list[str]:
        caplog.clear()
        prepare.main(prepare.Flags(**{"lang": "ruby", "processes": 1} | flags))
        return list(caplog.messages)

    return run


@pytest.fixture
def by_hand(tmp_path):
    """A folder with the zip of functions and the zip of lists."""
    files = {"ruby.zip": archives.zenodo_zip(), "dataset.zip": archives.dataset_zip()}
    return archives.write(tmp_path / "by_hand", files)


@pytest.fixture
def corpus(run, by_hand):
    """Prepared and loaded."""
    run(folder=by_hand)
    (corpus,), _ = load_corpora("auto", "ruby")
    return corpus
