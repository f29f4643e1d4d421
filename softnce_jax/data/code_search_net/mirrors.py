"""The mirrors of CodeSearchNet, in the order in which they are tried."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import quote

from softnce_jax.data.code_search_net.raw import LIST_NAMES
from softnce_jax.data.download import HUB, Remote, Unavailable, damage, fetch, hub_files, listing
from softnce_jax.errors import InputError
from softnce_jax.files import read_json, safe_join, write_json

__all__ = ["FUNCTIONS", "URL_LISTS", "Mirror", "fetch_first"]

log = logging.getLogger(__name__)

HOSTS = {
    "zenodo": "https://zenodo.org",
    "github": "https://github.com",
    "raw": "https://raw.githubusercontent.com",
}
COCOSODA = "8e8979dcf1a953fc3c98f1dccb66f7416cdb98b0"  # a commit that has the lists


class Mirror(NamedTuple):
    """A source of some of the data.

    Attributes:
      name: for messages.
      page: where a person finds the files.
      remotes: the files of a language; raises Unavailable.
    """

    name: str
    page: str
    remotes: Callable[[str], list[Remote]]


def hub(repo: str, revision: str, ending: str) -> Mirror:
    """A dataset of the Hub: the files of a language that have an ending."""

    def remotes(language: str) -> list[Remote]:
        return [
            file
            for file in hub_files(repo, revision)
            if file.name.endswith(ending)
            and language in PurePosixPath(file.name.removesuffix(ending)).parts
        ]

    of_revision = "" if revision == "main" else f" ({revision})"
    page = f"{HUB}/datasets/{repo}/tree/{quote(revision, safe='')}"
    return Mirror(f"the Hub's {repo}{of_revision}", page, remotes)


def zenodo(record: int) -> Mirror:
    """A record of Zenodo that holds a zip for each language."""

    def remotes(language: str) -> list[Remote]:
        about = listing(f"{HOSTS['zenodo']}/api/records/{record}")
        return [
            Remote(file["links"]["self"], f"zenodo/{file['key']}", file["size"], file["checksum"])
            for file in about["files"]
            if file["key"] == f"{language}.zip"
        ]

    return Mirror(f"Zenodo record {record}", f"{HOSTS['zenodo']}/records/{record}", remotes)


def graphcodebert() -> Mirror:
    """The lists as GraphCodeBERT's authors publish them: those of all languages in one zip."""

    def remotes(_: str) -> list[Remote]:
        path = "microsoft/CodeBERT/raw/HEAD/GraphCodeBERT/codesearch/dataset.zip"
        return [Remote(f"{HOSTS['github']}/{path}", "graphcodebert/dataset.zip")]

    page = "https://github.com/microsoft/CodeBERT/blob/HEAD/GraphCodeBERT/codesearch/dataset.zip"
    return Mirror("GraphCodeBERT's dataset.zip", page, remotes)


def cocosoda() -> Mirror:
    """The same lists, unpacked."""
    repo = "DeepSoftwareAnalytics/CoCoSoDa"

    def remotes(language: str) -> list[Remote]:
        base = f"{HOSTS['raw']}/{repo}/{COCOSODA}/dataset/{language}"
        names = LIST_NAMES.values()
        return [Remote(f"{base}/{n}.txt", f"cocosoda/{language}/{n}.txt") for n in names]

    return Mirror("CoCoSoDa's lists", f"https://github.com/{repo}/tree/{COCOSODA}/dataset", remotes)


# Whole copies of what was first published come first: no cleaned copy has all candidates.
FUNCTIONS = (
    hub("claudios/code_search_net", "main", ".parquet"),
    hub("code-search-net/code_search_net", "refs/convert/parquet", ".parquet"),
    zenodo(7857872),
    hub("code-search-net/code_search_net", "main", ".zip"),
    hub("google/code_x_glue_ct_code_to_text", "main", ".parquet"),
)
URL_LISTS = (graphcodebert(), cocosoda())


def fetch_first(
    mirrors: Sequence[Mirror], kind: str, language: str, folder: Path, **patience: float
) -> list[Path]:
    """The files of a language from the first mirror that has them all.

    Args:
      mirrors: in the order in which to try them.
      kind: of files, for messages.
      language: of CodeSearchNet.
      folder: of downloads. Files that are there from before, and are whole, are taken without any
        request.
      **patience: of `fetch`.

    Returns:
      The files.

    Raises:
      InputError: no mirror has them; it says what to fetch by hand.
    """
    record = folder / f"{language}-{kind.replace(' ', '-')}.json"
    if files := _fetched_before(record, folder):
        return files
    for mirror in mirrors:
        try:
            remotes = mirror.remotes(language)
            if not remotes:
                raise Unavailable(f"no files of {language}")
            files = [fetch(remote, folder, **patience) for remote in remotes]
        except (Unavailable, InputError) as error:
            log.info(f"{language}: {mirror.name} failed: {error}")
        except (KeyError, TypeError, AttributeError):  # whatever JSON a server may send
            log.info(f"{language}: {mirror.name} failed: a listing of an unknown form")
        else:
            write_json(record, [remote._asdict() for remote in remotes])
            return files
    pages = "\n".join(f"  {mirror.page}" for mirror in mirrors)
    raise InputError(
        f"the {kind} of {language} cannot be had from any mirror. Fetch what any one of "
        f"these has, put it into a folder, as it is or unpacked, and add --from FOLDER:\n{pages}"
    )


def _fetched_before(record: Path, folder: Path) -> list[Path] | None:
    """The files that a record names, None if there is no record or a file is damaged."""
    try:
        remotes = [Remote(**fields) for fields in read_json(record)]
        files = [safe_join(folder, remote.name) for remote in remotes]
        whole = (f.exists() and damage(f, r) is None for f, r in zip(files, remotes, strict=True))
        return files if all(whole) else None
    except (InputError, TypeError):
        return None
