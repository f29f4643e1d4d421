"""CodeSearchNet as TFDS builds it: fetch, shard, assemble. An interrupted stage is resumed."""

from __future__ import annotations

import functools
import logging
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any, ClassVar, Literal

import tensorflow_datasets as tfds
from tqdm import tqdm

from softnce_jax.data.code_search_net.mirrors import FUNCTIONS, URL_LISTS, Mirror, fetch_first
from softnce_jax.data.code_search_net.published import (
    ABOUT,
    COUNTS,
    SPLITS,
    VERSION,
    differences,
    protocol,
)
from softnce_jax.data.code_search_net.raw import Raw, files_below, find_raw, read_list
from softnce_jax.data.code_search_net.records import TEXTS, TOKENS
from softnce_jax.data.code_search_net.shards import (
    Shard,
    Split,
    SplitFile,
    assemble_splits,
    make_shard,
    read_shard,
    save_lists,
    split_into_files,
    write_split_file,
)
from softnce_jax.errors import InputError
from softnce_jax.files import to_path, write_json
from softnce_jax.processes import imap, usable_cores

__all__ = ["Builder"]

log = logging.getLogger(__name__)


class Builder(tfds.core.GeneratorBasedBuilder):
    """CodeSearchNet, one configuration a language; splits train, validation, test and codebase.

    `download_config.manual_dir` is a folder of files that were fetched by hand, in any of the forms
    in which the data are published. What is missing there is downloaded.

    Records are made in the processes that read the raw files, and are then copied in the order of
    their splits. So this class has its own `_generate_splits`: TFDS's makes records in one process
    and keeps a gigabyte of them in memory before it needs tensorflow.

    Args:
      select: "lists": the published splits, from lists of urls; "rules": every function that
        GraphCodeBERT's cleaning rules leave, which does not claim the published counts.
      processes: that work at once; None for one a core.
      **settings: of TFDS, `config` and `data_dir` for instance.
    """

    VERSION = tfds.core.Version(VERSION)
    RELEASE_NOTES: ClassVar = {
        "1.0.0": "First.",
        "2.0.0": "With `original_string`, the function as it was written.",
    }
    BUILDER_CONFIGS: ClassVar = [
        tfds.core.BuilderConfig(name=language, description=f"Functions in {language}.")
        for language in COUNTS
    ]

    def __init__(
        self,
        *,
        select: Literal["lists", "rules"] = "lists",
        processes: int | None = None,
        **settings: Any,
    ):
        super().__init__(**{"file_format": "array_record", **settings})
        self.select = select
        self.processes = processes or usable_cores()

    @property
    def language(self) -> str:
        """The language of the configuration."""
        return self.builder_config.name

    def _info(self) -> tfds.core.DatasetInfo:
        texts = {name: tfds.features.Text() for name in TEXTS}
        tokens = {name: tfds.features.Sequence(tfds.features.Text()) for name in TOKENS}
        info = self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(texts | tokens),
            homepage="https://github.com/github/CodeSearchNet",
            disable_shuffling=True,
        )
        # TFDS looks for its own copies in a bucket that has none, and leaves a folder in /tmp.
        info.initialize_from_bucket = lambda: None
        return info

    def _generate_splits(
        self, dl_manager: tfds.download.DownloadManager, download_config: Any
    ) -> Sequence[tfds.core.SplitInfo]:
        """What TFDS calls to have the splits written."""
        shards, splits = self._split_generators(dl_manager, download_config.manual_dir)
        sources = tuple(shard.records for shard in shards)
        infos = [self._write_split(name, split, sources) for name, split in splits.items()]
        self._shards_to_remove = self._shards_folder(dl_manager)
        folder = Path(self.data_dir)
        write_json(folder / ABOUT, self._about(splits, folder))
        return infos

    def _post_download_and_prepare_hook(self) -> None:
        killed = Path(self.data_dir).parent.glob("incomplete.*")  # left by processes that were
        for folder in (self._shards_to_remove, *killed):
            shutil.rmtree(folder, ignore_errors=True)

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager, by_hand: str | None = None
    ) -> tuple[list[Shard], dict[str, Split]]:
        """The shards, made from the raw data, and the splits that they make."""
        downloads = Path(dl_manager.download_dir) / self.name
        raw = self._find_raw(downloads, by_hand and to_path(by_hand))
        lists = None
        if self.select == "lists":
            lists = {split: read_list(*raw.lists[split]) for split in SPLITS}
        shards = list(self._generate_examples(raw, lists, self._shards_folder(dl_manager)))
        splits = assemble_splits(shards, lists)
        if empty := [name for name in SPLITS if name not in splits or not len(splits[name].order)]:
            raise InputError(
                f"{self.language}: no function for {', '.join(empty)} in what is there"
            )
        return shards, {name: splits[name] for name in SPLITS}

    def _find_raw(self, downloads: Path, by_hand: Path | None) -> Raw:
        """The raw data that are there by hand; those that are missing, from the mirrors."""
        shards, lists = find_raw(files_below(by_hand), self.language) if by_hand else Raw([], {})
        if not shards:
            shards = self._download(FUNCTIONS, "functions", downloads).shards
        if self.select == "lists" and set(lists) != set(SPLITS):
            lists = self._download(URL_LISTS, "lists of urls", downloads).lists
            if missing := [split for split in SPLITS if split not in lists]:
                raise InputError(
                    f"{self.language}: no list of {', '.join(missing)} in what is there"
                )
        return Raw(shards, lists)

    def _download(self, mirrors: Sequence[Mirror], kind: str, downloads: Path) -> Raw:
        downloads.mkdir(parents=True, exist_ok=True)
        return find_raw(fetch_first(mirrors, kind, self.language, downloads), self.language)

    def _generate_examples(
        self, raw: Raw, lists: dict[str, list[str]] | None, folder: Path
    ) -> Iterator[Shard]:
        """All shards; those that an earlier try has not made are made now."""
        folder.mkdir(parents=True, exist_ok=True)
        keys = lists and save_lists(folder, lists)
        folder = folder / (keys.stem if keys else "rules")
        folder.mkdir(exist_ok=True)
        new = [shard for shard in raw.shards if read_shard(shard, folder) is None]
        if len(new) < len(raw.shards):
            done = len(raw.shards) - len(new)
            log.info(f"{self.language}: {done} of {len(raw.shards)} shards were done before")
        make = functools.partial(make_shard, language=self.language, folder=folder, lists=keys)
        interval = 0.2 if sys.stderr.isatty() else 20
        for _ in tqdm(self._imap(make, new), self.language, len(new), unit="shard",
                      mininterval=interval, disable=len(new) < 2):  # fmt: skip
            pass
        dropped: Counter[str] = Counter()
        first: dict[str, str] = {}
        for raw_shard in raw.shards:
            shard = read_shard(raw_shard, folder)
            for reason, (count, location) in shard.dropped.items():
                dropped[reason] += count
                first.setdefault(reason, location)
            yield shard
        for reason, count in dropped.most_common():
            log.info(f"{self.language}: left out {count:,}: {reason} (first: {first[reason]})")

    def _write_split(
        self, name: str, split: Split, sources: tuple[Path, ...]
    ) -> tfds.core.SplitInfo:
        """Writes the files of a split from the shards' files."""
        template = self._get_filename_template(split_name=name)
        orders = split_into_files(split.order)
        paths = [
            Path(template.sharded_filepath(shard_index=n, num_shards=len(orders)))
            for n in range(len(orders))
        ]
        files = [SplitFile(sources, *each) for each in zip(orders, paths, strict=True)]
        return tfds.core.SplitInfo(
            name=name,
            shard_lengths=list(map(len, orders)),
            num_bytes=sum(self._imap(write_split_file, files)),
            filename_template=template,
        )

    def _imap(self, function: Callable[[Any], Any], items: list) -> Iterator[Any]:
        """The results of a function, in order, from all processes."""
        try:
            yield from imap(function, items, min(self.processes, max(1, len(items))))
        except BrokenExecutor as error:
            raise OSError(
                f"{self.language}: a process was ended from outside, for want of memory perhaps: "
                "the same command goes on (with fewer --processes if need be)"
            ) from error

    def _shards_folder(self, dl_manager: tfds.download.DownloadManager) -> Path:
        return Path(dl_manager.download_dir) / self.name / f"{self.language}-parts"

    def _about(self, splits: Mapping[str, Split], folder: Path) -> dict[str, Any]:
        """The description beside the records."""
        counts = {name: len(split.order) for name, split in splits.items()}
        for line in differences(self.language, counts) if self.select == "lists" else ():
            log.info(f"{self.language}: not as published: {line}")
        return {
            "select": self.select,
            "protocol": protocol(self.language, counts, self.select),
            "counts": counts,
            "sha256": {name: split.sha256 for name, split in splits.items()},
            "bytes": {path.name: path.stat().st_size for path in sorted(folder.iterdir())},
        }
