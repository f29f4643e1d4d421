"""Downloads over a network that fails, each time in one way."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import time
import zipfile

import pytest
from huggingface_hub import constants, file_download

from softnce_jax.data.download import Remote, Unavailable, fetch, hub_files, listing
from softnce_jax.errors import InputError
from tests.data.server import COMMIT, as_hub, file_path, info_path, serving

BODY = bytes(range(256)) * 400
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def server():
    with serving() as server:
        server.files["/data.bin"] = BODY
        yield server


def get(server, folder, name="data.bin", patience=10.0, **about):
    remote = Remote(f"{server.base}/{name}", f"sub/{name}", **about)
    return fetch(remote, folder, patience=patience, pause=0)


def test_a_file_is_fetched_once_and_its_checksum_kept(server, tmp_path):
    path = get(server, tmp_path)
    assert path == tmp_path / "sub" / "data.bin" and path.read_bytes() == BODY
    assert (path.parent / "data.bin.sha256").read_text() == f"{SHA256}  data.bin\n"
    assert get(server, tmp_path) == path
    assert server.asked == [("/data.bin", None)]
    assert sorted(p.name for p in path.parent.iterdir()) == ["data.bin", "data.bin.sha256"]


def test_a_refusal_ends_it_at_once(server, tmp_path):
    for code in (404, 403, 410):
        server.faults["/data.bin"] = [("status", code)]
        with pytest.raises(Unavailable, match=f"HTTP {code}"):
            get(server, tmp_path)
    assert len(server.asked) == 3


def test_a_busy_server_is_asked_again(server, tmp_path):
    server.faults["/data.bin"] = [("status", 503), ("status", 429)]
    assert get(server, tmp_path).read_bytes() == BODY
    server.faults["/other.bin"] = [("status", 503)] * 9
    with pytest.raises(Unavailable, match=r"HTTP 503 \(3 times\)"):
        get(server, tmp_path, "other.bin")


def test_a_body_that_ends_early_is_resumed_where_it_broke_off(server, tmp_path):
    server.faults["/data.bin"] = [("cut", 20_000), ("cut", 50_000)]
    assert get(server, tmp_path).read_bytes() == BODY
    assert [wanted for _, wanted in server.asked] == [None, "bytes=16384-", "bytes=65536-"]


def test_progress_is_never_given_up(server, tmp_path):
    server.faults["/data.bin"] = [("cut", 9_000)] * 10
    assert get(server, tmp_path).read_bytes() == BODY
    server.faults["/data.bin"] = [("cut", 0)] * 3
    (tmp_path / "sub" / "data.bin").unlink()
    with pytest.raises(Unavailable, match="3 times"):
        get(server, tmp_path)


def test_a_transfer_that_stalls_is_broken_off_and_resumed(server, tmp_path):
    server.faults["/data.bin"] = [("stall", 70_000)]
    assert get(server, tmp_path, patience=0.4).read_bytes() == BODY
    assert server.asked[1][1] is not None


def test_a_transfer_that_always_stalls_fails(server, tmp_path):
    server.faults["/data.bin"] = [("stall", 0)] * 3
    with pytest.raises(Unavailable, match=r"no answer in time \(3 times\)"):
        get(server, tmp_path, patience=0.1)


def test_what_another_process_left_is_resumed(server, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "data.bin.part").write_bytes(BODY[:300])
    assert get(server, tmp_path, size=len(BODY)).read_bytes() == BODY
    assert server.asked == [("/data.bin", "bytes=300-")]


def test_a_server_without_ranges_starts_again(server, tmp_path):
    server.faults["/data.bin"] = [("cut", 20_000), ("ranges",)]
    assert get(server, tmp_path).read_bytes() == BODY


def test_a_part_that_is_longer_than_the_file_is_dropped(server, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "data.bin.part").write_bytes(BODY + BODY)
    assert get(server, tmp_path).read_bytes() == BODY


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_a_wrong_checksum_leaves_nothing(server, tmp_path, algorithm):
    right = hashlib.new(algorithm, BODY).hexdigest()
    wrong = hashlib.new(algorithm, BODY[1:]).hexdigest()
    with pytest.raises(Unavailable, match=f"{algorithm} is {right}, not {wrong}"):
        get(server, tmp_path, digest=f"{algorithm}:{wrong}")
    assert not list((tmp_path / "sub").iterdir())
    assert get(server, tmp_path, digest=f"{algorithm}:{right}").read_bytes() == BODY


def test_a_wrong_length_is_damage(server, tmp_path):
    with pytest.raises(Unavailable, match="102,400 bytes instead of 102,401"):
        get(server, tmp_path, size=len(BODY) + 1)


def test_a_checksum_of_ones_own_counts(server, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "data.bin.sha256").write_text(f"{'0' * 64}  data.bin\n")
    with pytest.raises(Unavailable, match=f"sha256 is {SHA256}, not 0000"):
        get(server, tmp_path)
    (tmp_path / "sub" / "data.bin.sha256").write_text(SHA256.upper())
    assert get(server, tmp_path).read_bytes() == BODY


def test_a_file_that_changed_since_is_fetched_again(server, tmp_path, caplog):
    path = get(server, tmp_path)
    path.write_bytes(BODY[:-1] + b"x")
    assert get(server, tmp_path).read_bytes() == BODY
    (message,) = caplog.messages
    assert "fetching it again" in message


@pytest.mark.parametrize("name", ["../outside.bin", "a/../../outside.bin", "/outside.bin"])
def test_a_name_that_leads_out_of_the_folder_is_refused(server, tmp_path, name):
    remote = Remote(f"{server.base}/data.bin", name)
    with pytest.raises(InputError, match="is not the name of a file below"):
        fetch(remote, tmp_path / "downloads")
    assert not server.asked and not list(tmp_path.rglob("outside.bin*"))


@pytest.mark.parametrize("name", ["page.zip", "page.parquet"])
def test_a_page_of_apologies_is_no_archive(server, tmp_path, name):
    server.files[f"/{name}"] = b"<html>We are sorry</html>"
    with pytest.raises(Unavailable, match=f"not a whole {name.split('.')[1]} file"):
        get(server, tmp_path, name)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", "b")
    server.files["/page.zip"] = buffer.getvalue()
    assert get(server, tmp_path, "page.zip").exists()


def test_an_archive_of_a_later_age_is_none(server, tmp_path):
    """Its directory asks for version 25.5 of the format."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", "b")
    content = bytearray(buffer.getvalue())
    content[content.index(b"PK\x01\x02") + 6] = 255
    server.files["/page.zip"] = bytes(content)
    with pytest.raises(Unavailable, match=r"not a whole zip file \(zip file version 25\.5\)"):
        get(server, tmp_path, "page.zip")


def test_nobody_there(tmp_path):
    with serving() as server:
        pass
    with pytest.raises(Unavailable, match=r"[Rr]efused"):
        get(server, tmp_path)
    with pytest.raises(Unavailable, match=r"[Rr]efused"):
        listing(server.base)


def test_listings(server):
    server.files["/list"] = b'[{"path": "a"}]'
    assert listing(f"{server.base}/list") == [{"path": "a"}]
    with pytest.raises(Unavailable, match="not a listing"):
        listing(f"{server.base}/data.bin")


REPO = "owner/name"
INFO, DATA = info_path(REPO, "refs/pr/1"), file_path(REPO, "sub/data.bin")


@pytest.fixture
def hub(monkeypatch):
    """A server in the place of the Hub; nobody sleeps between two tries."""
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with serving() as server, as_hub(server.base):
        server.add_dataset(REPO, "refs/pr/1", {"sub/data.bin": BODY})
        yield server


def get_from_hub(folder):
    remote, _ = hub_files(REPO, "refs/pr/1")
    return fetch(remote, folder, pause=0)


def ranges(server) -> list[str | None]:
    """The ranges of the requests for the file; the first of each download is a HEAD request."""
    return [wanted for path, wanted in server.asked if path == DATA]


def test_the_hubs_listing(hub):
    assert hub_files(REPO, "refs/pr/1") == [
        Remote(
            f"hf://datasets/{REPO}@{COMMIT}/sub/data.bin",
            "owner--name/sub/data.bin",
            len(BODY),
            f"sha256:{SHA256}",
        ),
        Remote(f"hf://datasets/{REPO}@{COMMIT}/README.md", "owner--name/README.md", 3, None),
    ]


def test_a_listing_that_the_hub_does_not_give(hub, monkeypatch):
    for fault, reason in ((("status", 404), "HTTP 404"), (("status", 503), "HTTP 503")):
        hub.faults[INFO] = [fault]
        with pytest.raises(Unavailable, match=f"^{reason}$"):
            hub_files(REPO, "refs/pr/1")
    hub.faults[INFO] = [("stall", 0)]
    with pytest.raises(Unavailable, match=r"^no answer in time$"):
        hub_files(REPO, "refs/pr/1", patience=0.1)
    hub.files[INFO] = b"<html>We are sorry</html>"
    with pytest.raises(Unavailable, match=r"^not a listing$"):
        hub_files(REPO, "refs/pr/1")
    for text in (b"[]", b"{}", b'{"id": 1, "siblings": [{}]}', b'{"id": 1, "siblings": [1]}'):
        hub.files[INFO] = text
        with pytest.raises((KeyError, TypeError, AttributeError)):
            hub_files(REPO, "refs/pr/1")


def test_no_hub_is_a_line(hub, tmp_path):
    remote, _ = hub_files(REPO, "refs/pr/1")
    with serving() as gone:
        pass
    with as_hub(gone.base):
        with pytest.raises(Unavailable, match=r"[Rr]efused") as listed:
            hub_files(REPO, "refs/pr/1")
        with pytest.raises(Unavailable, match=r"[Rr]efused") as fetched:
            fetch(remote, tmp_path, pause=0)
    refused = pytest.raises(Unavailable, match="offline mode is enabled")
    with as_hub(hub.base, offline=True), refused as offline:
        hub_files(REPO, "refs/pr/1")
    assert "\n" not in f"{listed.value}{fetched.value}{offline.value}"


def test_a_file_of_the_hub_is_fetched_once_and_its_checksum_kept(hub, tmp_path):
    path = get_from_hub(tmp_path)
    assert path == tmp_path / "owner--name" / "sub" / "data.bin" and path.read_bytes() == BODY
    assert (path.parent / "data.bin.sha256").read_text() == f"{SHA256}  data.bin\n"
    assert get_from_hub(tmp_path) == path
    assert ranges(hub) == [None, None]
    assert sorted(os.listdir(path.parent)) == ["data.bin", "data.bin.sha256"]


def test_a_refusal_of_the_hub_ends_it_at_once(hub, tmp_path):
    hub.faults[DATA] = [("status", 403)]
    with pytest.raises(Unavailable, match=r"^HTTP 403$"):
        get_from_hub(tmp_path)
    del hub.files[DATA]
    with pytest.raises(Unavailable, match=r"^HTTP 404$"):
        get_from_hub(tmp_path)
    assert len(ranges(hub)) == 3


def test_a_busy_hub_is_asked_again(hub, tmp_path):
    hub.faults[DATA] = [("status", 503), ("status", 429)]
    assert get_from_hub(tmp_path).read_bytes() == BODY


def test_a_transfer_from_the_hub_that_breaks_off_is_resumed(hub, tmp_path):
    hub.faults[DATA] = [("cut", 20_000)] * 4
    assert get_from_hub(tmp_path).read_bytes() == BODY
    resumed = [wanted for wanted in ranges(hub) if wanted]
    assert resumed == ["bytes=16384-", "bytes=32768-", "bytes=49152-", "bytes=65536-"]
    hub.faults[DATA] = [("cut", 0)] * 30
    (tmp_path / "owner--name" / "sub" / "data.bin").unlink()
    with pytest.raises(Unavailable, match="times"):
        get_from_hub(tmp_path)


def test_a_transfer_from_the_hub_that_stalls(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.4)
    hub.faults[DATA] = [("stall", 70_000)]
    assert get_from_hub(tmp_path).read_bytes() == BODY
    assert [wanted for wanted in ranges(hub) if wanted] == ["bytes=65536-"]


def test_a_transfer_from_the_hub_that_always_stalls_fails(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.03)
    hub.faults[DATA] = [("stall", 0)] * 99
    with pytest.raises(Unavailable, match=r"^no answer in time \(3 times\)$"):
        get_from_hub(tmp_path)
    assert not (tmp_path / "owner--name" / "sub" / "data.bin").exists()


def test_what_another_process_left_of_the_hubs_file_is_resumed(hub, tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    hub.faults[DATA] = [("cut", 20_000)]
    with monkeypatch.context() as patch:
        patch.setattr(time, "sleep", killed)
        with pytest.raises(Killed):
            get_from_hub(tmp_path)
    assert not (tmp_path / "owner--name" / "sub" / "data.bin").exists()
    assert get_from_hub(tmp_path).read_bytes() == BODY
    assert sorted(os.listdir(tmp_path / "owner--name" / "sub")) == ["data.bin", "data.bin.sha256"]


@pytest.mark.parametrize("content", [BODY[:-1] + b"x", BODY + b"x"])
def test_another_file_than_the_hub_listed_leaves_nothing(hub, tmp_path, content):
    hub.files[DATA] = content
    with pytest.raises(Unavailable, match=r"its sha256 is|102,401 bytes instead of 102,400"):
        get_from_hub(tmp_path)
    assert not list((tmp_path / "owner--name" / "sub").iterdir())
    hub.files[DATA] = BODY
    assert get_from_hub(tmp_path).read_bytes() == BODY


@pytest.mark.parametrize("path", ["../../x", "sub/../../x", "/x"])
def test_a_name_of_the_hub_that_leads_out_is_refused(hub, tmp_path, path):
    hub.files[file_path(REPO, path)] = BODY
    for name in (f"owner--name/{path}", "a/b/x"):  # below the downloads, but not below its part
        remote = Remote(f"hf://datasets/{REPO}@{COMMIT}/{path}", name)
        if name == "owner--name//x":
            continue
        with pytest.raises(InputError, match="is not the name of a file below"):
            fetch(remote, tmp_path / "downloads" / "here")
    assert not hub.asked and not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_full_disk_is_no_fault_of_the_hub(hub, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(file_download, "http_get", full)
    with pytest.raises(OSError, match="No space left"):
        get_from_hub(tmp_path)


@pytest.mark.parametrize("name", ["../../out.bin", "/out.bin", "sub/../../out.bin"])
def test_a_listing_of_the_hub_cannot_write_outside(hub, tmp_path, name):
    folder = tmp_path / "a/b/downloads"
    hub.add_dataset(REPO, "refs/pr/1", {name: BODY})
    with pytest.raises(InputError, match="is not the name of a file below"):
        get_from_hub(folder)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
    hub.add_dataset(REPO, "refs/pr/1", {"sub/data.bin": BODY})  # negative control
    assert folder in get_from_hub(folder).parents


@pytest.mark.parametrize("digest", ["sha256", "crc32:0f", "md5:0f", "sha256:" + "g" * 64, "a:b:c"])
def test_a_digest_of_unknown_form_is_one_line(server, tmp_path, digest):
    with pytest.raises(InputError, match=r"the listing of sub/data.bin: .* is no digest") as caught:
        get(server, tmp_path, digest=digest)
    assert "\n" not in str(caught.value) and not (tmp_path / "sub/data.bin").exists()


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe data.bin", b"none  data.bin\n"])
def test_a_checksum_file_of_unknown_form_is_one_line(server, tmp_path, content):
    path = get(server, tmp_path)
    sums = path.with_name("data.bin.sha256")
    for written, reason in ((content, "is no digest"), (SHA256.upper().encode(), None)):
        sums.write_bytes(written)
        if reason:
            with pytest.raises(InputError, match=f"{sums}: .*{reason}"):
                get(server, tmp_path)
        else:
            assert get(server, tmp_path) == path
