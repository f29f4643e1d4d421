"""CodeSearchNet as TFDS builds it: fetch, part, assemble; each stage takes up where it stopped."""

from __future__ import annotations

import functools
import json
import logging
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any, ClassVar, Literal

import tensorflow_datasets as tfds
from tqdm import tqdm

from softnce_jax.data.code_search_net import shards
from softnce_jax.data.code_search_net.mirrors import FUNCTIONS, URL_LISTS, fetch_first
from softnce_jax.data.code_search_net.published import ABOUT, SPLITS, differences, protocol
from softnce_jax.data.code_search_net.raw import Found, files_below, look, read_list
from softnce_jax.data.code_search_net.records import TEXTS, TOKENS
from softnce_jax.data.code_search_net.shards import Part, make_part, read_part, save_lists
from softnce_jax.languages import LANGUAGES
from softnce_jax.errors import InputError
from softnce_jax.processes import run

log = logging.getLogger(__name__)


class Builder(tfds.core.GeneratorBasedBuilder):
    """CodeSearchNet, one configuration a language; splits train, validation, test and codebase.

    `download_config.manual_dir` is a folder with files that were fetched by hand, in any of the
    forms in which the data are published. What is not there is downloaded.

    Records are made in the processes that read the raw files, and then copied into their splits'
    order. So `_generate_splits` stands for the base class's: that one makes records in one process,
    and keeps a gigabyte of them in memory before it needs tensorflow.

    Args:
      select: "lists": the published splits, from lists of urls; "rules": every function that
        GraphCodeBERT's cleaning rules leave, which claims none of the published counts.
      processes: at work; None for one a core.
      **settings: of TFDS, `config` and `data_dir` for instance.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "First."}
    BUILDER_CONFIGS: ClassVar = [
        tfds.core.BuilderConfig(name=language, description=f"Functions in {language}.")
        for language in LANGUAGES
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
        self.processes = processes or os.cpu_count() or 1

    @property
    def language(self) -> str:
        """Of the configuration."""
        return self.builder_config.name

    def _info(self) -> tfds.core.DatasetInfo:
        texts = {name: tfds.features.Text() for name in TEXTS}
        tokens = {name: tfds.features.Sequence(tfds.features.Text()) for name in TOKENS}
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(texts | tokens),
            homepage="https://github.com/github/CodeSearchNet",
            disable_shuffling=True,
        )

    def _generate_splits(
        self, dl_manager: tfds.download.DownloadManager, download_config: Any
    ) -> Sequence[tfds.core.SplitInfo]:
        splits = self._split_generators(dl_manager, download_config.manual_dir)
        folder = Path(self.data_dir)
        infos = []
        for name, (parts, split) in splits.items():
            template = self._get_filename_template(split_name=name)
            orders = list(shards.file_orders(split.order))
            copies = [
                shards.Copy(
                    tuple(part.records for part in parts),
                    order,
                    Path(template.sharded_filepath(shard_index=number, num_shards=len(orders))),
                )
                for number, order in enumerate(orders)
            ]
            size = sum(self._run(shards.copy, copies))
            infos.append(
                tfds.core.SplitInfo(
                    name=name,
                    shard_lengths=list(map(len, orders)),
                    num_bytes=size,
                    filename_template=template,
                )
            )
        self._made = self._parts_folder(dl_manager)
        about = {name: split for name, (_, split) in splits.items()}
        (folder / ABOUT).write_text(
            json.dumps(self._about(about, folder), indent=2) + "\n", "utf-8"
        )
        return infos

    def _post_download_and_prepare_hook(self) -> None:
        begun = Path(self.data_dir).parent.glob("incomplete.*")  # by processes that were killed
        for folder in (self._made, *begun):
            shutil.rmtree(folder, ignore_errors=True)

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager, by_hand: str | None = None
    ) -> dict[str, tuple[list[Part], shards.Split]]:
        downloads = Path(dl_manager.download_dir) / self.name
        found = self._find(downloads, by_hand and Path(by_hand))
        lists = None
        if self.select == "lists":
            lists = {split: read_list(*found.lists[split]) for split in SPLITS}
        parts = list(self._generate_examples(found, lists, self._parts_folder(dl_manager)))
        splits = shards.splits_of(parts, lists)
        if empty := [name for name in SPLITS if name not in splits or not len(splits[name].order)]:
            raise InputError(
                f"{self.language}: no function for {', '.join(empty)} in what is there"
            )
        return {name: (parts, splits[name]) for name in SPLITS}

    def _generate_examples(
        self, found: Found, lists: dict[str, list[str]] | None, folder: Path
    ) -> Iterator[Part]:
        """The parts of all shards; those that are not there are made now."""
        folder.mkdir(parents=True, exist_ok=True)
        keys = lists and save_lists(folder, lists)
        folder = folder / (keys.stem if keys else "rules")
        folder.mkdir(exist_ok=True)
        new = [shard for shard in found.shards if read_part(shard, folder) is None]
        if len(new) < len(found.shards):
            done = len(found.shards) - len(new)
            log.info(f"{self.language}: {done} of {len(found.shards)} shards were done before")
        work = functools.partial(make_part, language=self.language, folder=folder, lists=keys)
        calm = 0.2 if sys.stderr.isatty() else 20
        for _ in tqdm(self._run(work, new), self.language, len(new), unit="shard", mininterval=calm,
                      disable=len(new) < 2):  # fmt: skip
            pass
        dropped: Counter[str] = Counter()
        for shard in found.shards:
            part = read_part(shard, folder)
            dropped.update(part.dropped)
            yield part
        for reason, count in dropped.most_common():
            log.info(f"{self.language}: left out {count:,}: {reason}")

    def _find(self, downloads: Path, by_hand: Path | None) -> Found:
        """What there is by hand; what is missing, from the network."""
        found = look(files_below(by_hand), self.language) if by_hand else Found([], {})
        shards, lists = found
        if not shards:
            shards = self._fetched(FUNCTIONS, "functions", downloads).shards
        if self.select == "lists" and set(lists) != set(SPLITS):
            lists = self._fetched(URL_LISTS, "lists of urls", downloads).lists
            if missing := [split for split in SPLITS if split not in lists]:
                raise InputError(
                    f"{self.language}: no list of {', '.join(missing)} in what is there"
                )
        return Found(shards, lists)

    def _fetched(self, origins: tuple, kind: str, downloads: Path) -> Found:
        downloads.mkdir(parents=True, exist_ok=True)
        files = fetch_first(origins, kind, self.language, downloads)
        return look(files, self.language)

    def _run(self, work: Callable[[Any], Any], items: list) -> Iterator[Any]:
        """The results of work, in order, from all processes."""
        try:
            yield from run(work, items, min(self.processes, max(1, len(items))))
        except BrokenExecutor as error:
            raise OSError(
                f"{self.language}: a process was ended from outside, for want of memory perhaps: "
                "the same command goes on (with fewer --processes if need be)"
            ) from error

    def _parts_folder(self, dl_manager: tfds.download.DownloadManager) -> Path:
        return Path(dl_manager.download_dir) / self.name / f"{self.language}-parts"

    def _about(self, splits: dict[str, shards.Split], folder: Path) -> dict[str, Any]:
        """What is told beside the records."""
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
