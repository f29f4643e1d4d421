"""Functions a second of the data-flow extractor, beside the published one, in one process.

    python benchmarks/dataflow.py --sources /usr/lib/ruby /usr/share/go-1.19/src

The published functions are measured too where codebleu, which carries them, is installed:
`pip install --no-deps codebleu==0.7.0`. Times are CPU seconds of this process, taken in turns.
"""

from __future__ import annotations

import random
import statistics
import sysconfig
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import tyro

from softnce_jax.data.sample import load_sample
from softnce_jax.dataflow.extract import Extractor
from softnce_jax.languages import LANGUAGES, parser

LARGEST = 20_000  # bytes of a function
FUNCTIONS = {
    "ruby": {"method", "singleton_method"},
    "javascript": {"function_declaration", "method_definition", "function_expression"},
    "go": {"function_declaration", "method_declaration"},
    "python": {"function_definition"},
    "java": {"method_declaration", "constructor_declaration"},
    "php": {"function_definition", "method_declaration"},
}
AROUND = {"php": ("<?php", "?>")}


@dataclass(frozen=True)
class Flags:
    """Measures functions a second for each language."""

    sources: tuple[Path, ...] = field(
        default_factory=lambda: (Path(sysconfig.get_paths()["stdlib"]),)
    )
    """Folders whose source files are cut into functions; beside them the embedded sample."""
    functions: int = 1000
    """Functions of a language at most."""
    rounds: int = 5
    """Times that each extractor is run."""
    seed: int = 0
    """Of the choice of files."""


def main(flags: Flags) -> None:
    """Prints a table."""
    print("| language | functions | characters | published/s | extended/s | peer/s | ratio |")
    print("|---|---|---|---|---|---|---|")
    for language in LANGUAGES:
        codes = collect(language, flags)
        ours = {rules: Extractor(language, rules) for rules in ("published", "extended")}
        systems: dict[str, Callable[[str], object]] = {**ours}
        if (other := peer(language)) is not None:
            systems["peer"] = other
        seconds = {name: [] for name in systems}
        for _ in range(flags.rounds):
            for name, system in systems.items():
                start = time.process_time()
                for code in codes:
                    system(code)
                seconds[name].append(time.process_time() - start)
        rate = {name: len(codes) / statistics.median(taken) for name, taken in seconds.items()}
        mean = sum(map(len, codes)) / len(codes)
        cells = [f"{rate['published']:.0f}", f"{rate['extended']:.0f}"]
        if other is not None:
            ways = zip(seconds["peer"], seconds["published"], strict=True)
            ratio = statistics.median(theirs / mine for theirs, mine in ways)
            cells += [f"{rate['peer']:.0f}", f"{ratio:.2f}"]
        print("|", " | ".join([language, str(len(codes)), f"{mean:.0f}", *cells]), "|", flush=True)


def collect(language: str, flags: Flags) -> list[str]:
    """Functions of a language, at random from the sources, then from the sample."""
    ending = LANGUAGES[language].endings[0]
    files = [p for folder in flags.sources for p in folder.rglob(f"*{ending}")]
    random.Random(flags.seed).shuffle(files)
    found: dict[str, None] = {}
    for path in files:
        if len(found) >= flags.functions:
            break
        if path.is_file():
            found |= dict.fromkeys(functions(language, path.read_bytes()))
    found |= dict.fromkeys(candidate.code for candidate in load_sample(language).codebase)
    return list(found)[: flags.functions]


def functions(language: str, source: bytes) -> Iterator[str]:
    """The functions of a source file that take three lines or more."""
    nodes = [parser(language).parse(source).root_node]
    while nodes:
        node = nodes.pop()
        size = node.end_byte - node.start_byte
        lines = node.end_point.row - node.start_point.row + 1
        if node.type in FUNCTIONS[language] and size <= LARGEST and lines >= 3:
            yield source[node.start_byte : node.end_byte].decode("utf-8", "replace")
        nodes.extend(node.children)


def peer(language: str) -> Callable[[str], object] | None:
    """The published steps: comments out, parse, tokens, walk; None without codebleu."""
    try:
        from codebleu import parser as published
    except ImportError:
        return None
    walk = getattr(published, f"DFG_{language}")
    parse = parser(language).parse
    before, after = AROUND.get(language, ("", ""))

    def extract(code: str) -> object:
        try:  # as published: whatever goes wrong leaves no data flow
            bare = published.remove_comments_and_docstrings(code, language)
        except Exception:
            bare = code
        root = parse(f"{before}{bare}{after}".encode()).root_node
        places = published.tree_to_token_index(root)
        lines = f"{before}{bare}{after}".split("\n")
        tokens = [published.index_to_code_token(place, lines) for place in places]
        index = {
            place: (n, token) for n, (place, token) in enumerate(zip(places, tokens, strict=True))
        }
        try:
            return tokens, sorted(walk(root, index, {})[0], key=lambda edge: edge[1])
        except Exception:
            return tokens, []

    return extract


if __name__ == "__main__":
    main(tyro.cli(Flags))
