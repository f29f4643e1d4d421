"""Where CodeSearchNet is to be had, in the order in which the places are tried."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import quote

from softnce_jax.data.code_search_net.raw import LISTS
from softnce_jax.data.download import Remote, Unavailable, damage, fetch, listing
from softnce_jax.errors import InputError

log = logging.getLogger(__name__)

HOSTS = {
    "hub": os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/"),
    "zenodo": "https://zenodo.org",
    "github": "https://github.com",
    "raw": "https://raw.githubusercontent.com",
}
COCOSODA = "8e8979dcf1a953fc3c98f1dccb66f7416cdb98b0"  # a commit of it that has the lists


class Origin(NamedTuple):
    """A place that has some of the data.

    Attributes:
      name: as it is told.
      page: where a person finds the files.
      remotes: the files of a language; raises Unavailable.
    """

    name: str
    page: str
    remotes: Callable[[str], list[Remote]]


def hub(repo: str, revision: str, end: str) -> Origin:
    """A dataset of the Hub: the files of a language that end so."""
    revision_ = quote(revision, safe="")

    def remotes(language: str) -> list[Remote]:
        base = HOSTS["hub"]
        page = f"{base}/api/datasets/{repo}/tree/{revision_}?recursive=true"
        found = []
        while page:
            entries, page = listing(page)
            for entry in entries:
                path = entry["path"]
                names = PurePosixPath(path.removesuffix(end)).parts
                if path.endswith(end) and language in names:
                    url = f"{base}/datasets/{repo}/resolve/{revision_}/{path}"
                    digest = entry.get("lfs", {}).get("oid")
                    digest = digest and f"sha256:{digest.removeprefix('sha256:')}"
                    name = f"{repo.replace('/', '--')}/{path}"
                    found.append(Remote(url, name, entry["size"], digest))
        return found

    at = "" if revision == "main" else f" ({revision})"
    page = f"{HOSTS['hub']}/datasets/{repo}/tree/{revision_}"
    return Origin(f"the Hub's {repo}{at}", page, remotes)


def zenodo(record: int) -> Origin:
    """A record of Zenodo that holds one zip a language."""

    def remotes(language: str) -> list[Remote]:
        about, _ = listing(f"{HOSTS['zenodo']}/api/records/{record}")
        return [
            Remote(file["links"]["self"], f"zenodo/{file['key']}", file["size"], file["checksum"])
            for file in about["files"]
            if file["key"] == f"{language}.zip"
        ]

    return Origin(f"Zenodo record {record}", f"{HOSTS['zenodo']}/records/{record}", remotes)


def graphcodebert() -> Origin:
    """The lists as GraphCodeBERT's authors publish them, of all languages in one zip."""

    def remotes(_: str) -> list[Remote]:
        path = "microsoft/CodeBERT/raw/HEAD/GraphCodeBERT/codesearch/dataset.zip"
        return [Remote(f"{HOSTS['github']}/{path}", "graphcodebert/dataset.zip")]

    page = "https://github.com/microsoft/CodeBERT/blob/HEAD/GraphCodeBERT/codesearch/dataset.zip"
    return Origin("GraphCodeBERT's dataset.zip", page, remotes)


def cocosoda() -> Origin:
    """The same lists, unpacked."""
    repo = "DeepSoftwareAnalytics/CoCoSoDa"

    def remotes(language: str) -> list[Remote]:
        base = f"{HOSTS['raw']}/{repo}/{COCOSODA}/dataset/{language}"
        return [Remote(f"{base}/{n}.txt", f"cocosoda/{language}/{n}.txt") for n in LISTS.values()]

    return Origin("CoCoSoDa's lists", f"https://github.com/{repo}/tree/{COCOSODA}/dataset", remotes)


# The whole of what was published first: the candidates are in no cleaned mirror.
FUNCTIONS = (
    hub("claudios/code_search_net", "main", ".parquet"),
    hub("code-search-net/code_search_net", "refs/convert/parquet", ".parquet"),
    zenodo(7857872),
    hub("code-search-net/code_search_net", "main", ".zip"),
    hub("google/code_x_glue_ct_code_to_text", "main", ".parquet"),
)
URL_LISTS = (graphcodebert(), cocosoda())


def fetch_first(
    origins: tuple[Origin, ...], kind: str, language: str, folder: Path, **patience: float
) -> list[Path]:
    """The files of a language from the first place that has them all.

    Args:
      origins: places, in order.
      kind: what they have, in words.
      language: one of LANGUAGES.
      folder: of downloads. What was fetched before, and is whole, is taken without asking anybody.
      patience: for `fetch`.

    Returns:
      The files.

    Raises:
      InputError: no place has them; it says what to fetch by hand.
    """
    record = folder / f"{language}-{kind.replace(' ', '-')}.json"
    if record.exists() and (files := _before(record, folder)):
        return files
    for origin in origins:
        try:
            remotes = origin.remotes(language)
            if not remotes:
                raise Unavailable(f"no files of {language}")
            files = [fetch(remote, folder, **patience) for remote in remotes]
        except (Unavailable, KeyError, TypeError, AttributeError) as error:
            reason = error if isinstance(error, Unavailable) else "a listing of an unknown form"
            log.info(f"{language}: {origin.name} failed: {reason}")
            continue
        record.write_text(json.dumps([remote._asdict() for remote in remotes]), "utf-8")
        return files
    pages = "\n".join(f"  {origin.page}" for origin in origins)
    raise InputError(
        f"the {kind} of {language} can be had from no place that is known. Fetch what any one of "
        f"these has, put it into a folder, as it is or unpacked, and add --from FOLDER:\n{pages}"
    )


def _before(record: Path, folder: Path) -> list[Path] | None:
    """The files that were fetched before, if they are whole."""
    try:
        remotes = [Remote(**fields) for fields in json.loads(record.read_text("utf-8"))]
    except ValueError:  # half of it was written
        return None
    files = [folder / remote.name for remote in remotes]
    whole = (f.exists() and damage(f, r) is None for f, r in zip(files, remotes, strict=True))
    return files if all(whole) else None
