"""The embedded sample: 16 families of 6 related tasks, the same tasks in every language.

A family is a folder. Its `tasks.toml` names the tasks with their split and two phrasings of the
query, and one source file per language holds their functions between `task:` markers. Splits are
by task, so no function or phrasing of a test task is in training in any language. The first two
tasks of a family are near-duplicates on purpose: false negatives of one another.
"""

from __future__ import annotations

import textwrap
import tomllib
from importlib import resources

from softnce_jax.data.corpus import Candidate, Corpus, Pair
from softnce_jax.languages import LANGUAGES

__all__ = ["families", "functions", "load_sample", "tasks"]


def families() -> list[str]:
    """The names of the families, sorted."""
    root = resources.files(__name__)
    return sorted(entry.name for entry in root.iterdir() if (entry / "tasks.toml").is_file())


def tasks(family: str) -> list[dict]:
    """The tasks of a family, in order; of each its name, split and queries."""
    text = (resources.files(__name__) / family / "tasks.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["task"]


def functions(family: str, language: str) -> dict[str, str]:
    """The functions of a family in one language, by task, in the order of the source file."""
    ending = LANGUAGES[language].endings[0]
    source = resources.files(__name__) / family / f"{family}{ending}"
    code: dict[str, list[str]] = {}
    task = None
    for line in source.read_text(encoding="utf-8").splitlines():
        marker = line.strip().lstrip("#/").strip()
        if marker.startswith("task: "):
            task = marker.removeprefix("task: ")
            code[task] = []
        elif marker == "end" and line.strip() != "end":  # a comment, not Ruby's keyword
            task = None
        elif task is not None:
            code[task].append(line)
    return {task: textwrap.dedent("\n".join(lines)).strip() for task, lines in code.items()}


def load_sample(language: str) -> Corpus:
    """The sample in one language: 2 pairs a task; every function is a candidate.

    Example:
      >>> corpus = load_sample("ruby")
      >>> len(corpus.train), len(corpus.valid), len(corpus.test), len(corpus.codebase)
      (128, 16, 48, 96)
    """
    splits: dict[str, list[Pair]] = {"train": [], "valid": [], "test": []}
    codebase = []
    for family in families():
        code = functions(family, language)
        for task in tasks(family):
            url = f"sample/{language}/{family}/{task['name']}"
            codebase.append(Candidate(code[task["name"]], url, language, family))
            splits[task["split"]] += [
                Pair(query, code[task["name"]], url, language, family) for query in task["queries"]
            ]
    return Corpus("sample", language, **splits, codebase=codebase)
