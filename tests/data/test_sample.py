"""The embedded sample: complete, parsed by each language's grammar, executed, no templates."""

from __future__ import annotations

import collections
import itertools
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from softnce_jax.data import sample
from softnce_jax.languages import LANGUAGES, parser

FAMILIES = sample.families()
CHECKS = Path(__file__).parents[1] / "sample_checks"
SOURCES = Path(sample.__file__).parent
MOST_OVERLAP = 0.6


def test_sixteen_families_of_six_tasks_split_by_task():
    tasks = {family: sample.tasks(family) for family in FAMILIES}
    assert len(FAMILIES) == 16 and all(len(six) == 6 for six in tasks.values())
    names = [task["name"] for six in tasks.values() for task in six]
    queries = [query for six in tasks.values() for task in six for query in task["queries"]]
    assert len(set(names)) == 96 and len(set(queries)) == 192
    splits = collections.Counter(task["split"] for six in tasks.values() for task in six)
    assert splits == {"train": 64, "valid": 8, "test": 24}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_task_in_every_language(language):
    for family in FAMILIES:
        assert list(sample.functions(family, language)) == [
            task["name"] for task in sample.tasks(family)
        ]
    corpus = sample.load_sample(language)
    assert len({candidate.code for candidate in corpus.codebase}) == 96
    urls = {split: {pair.url for pair in getattr(corpus, split)} for split in ("train", "test")}
    assert not urls["train"] & urls["test"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_parses_without_error(language):
    opening = "<?php\n" if language == "php" else ""
    for family in FAMILIES:
        for task, code in sample.functions(family, language).items():
            root = parser(language).parse((opening + code).encode()).root_node
            assert not root.has_error, f"{family}/{task}"
    assert parser(language).parse((opening + "f(((").encode()).root_node.has_error


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_task_is_a_template_of_another(language):
    words = {
        (family, task): set(re.findall(r"\w+", code))
        for family in FAMILIES
        for task, code in sample.functions(family, language).items()
    }
    for (a, words_a), (b, words_b) in itertools.combinations(words.items(), 2):
        overlap = len(words_a & words_b) / len(words_a | words_b)
        assert overlap < MOST_OVERLAP, f"{a} and {b} share {overlap:.0%} of their words"


COMMANDS = {
    "python": [sys.executable],
    "javascript": ["node"],
    "ruby": ["ruby"],
    "php": ["php"],
    "go": ["go", "run"],
    "java": ["java"],
}


def execute(language: str, family: str, folder: Path, check: str) -> subprocess.CompletedProcess:
    """Runs a family's functions together with its check."""
    ending = LANGUAGES[language].endings[0]
    source = (SOURCES / family / f"{family}{ending}").read_text("utf-8")
    if language == "go":
        (folder / "tasks.go").write_text(source, "utf-8")
        (folder / "check.go").write_text(check, "utf-8")
        command = ["go", "run", "tasks.go", "check.go"]
    elif language == "java":
        # One file: its imports first, the class that `java` starts in front.
        lines = f"{check}\n{source}".splitlines()
        imports = sorted({line for line in lines if line.startswith("import ")})
        rest = [line for line in lines if not line.startswith("import ")]
        (folder / "Check.java").write_text("\n".join(imports + rest), "utf-8")
        command = ["java", "Check.java"]
    else:
        (folder / f"both{ending}").write_text(f"{source}\n{check}", "utf-8")
        command = [*COMMANDS[language], f"both{ending}"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def run_checks(language, families, folder, change=lambda check: check):
    if shutil.which(COMMANDS[language][0]) is None:
        pytest.skip(f"no {COMMANDS[language][0]} on this machine")
    for family in families:
        check = CHECKS / family / f"check{LANGUAGES[language].endings[0]}"
        here = folder / family
        here.mkdir(parents=True)
        yield family, execute(language, family, here, change(check.read_text("utf-8")))


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_executes(language, tmp_path):
    for family, done in run_checks(language, FAMILIES, tmp_path):
        assert done.returncode == 0, f"{family}: {done.stderr}"


@pytest.mark.slow
@pytest.mark.parametrize("language", ["ruby", "php", "go", "java"])
def test_executes_where_its_interpreter_stands(language, tmp_path):
    for family, done in run_checks(language, FAMILIES, tmp_path):
        assert done.returncode == 0, f"{family}: {done.stderr}"


def test_a_wrong_function_fails_its_check(tmp_path):
    wrong = "assert gcd(12, 18) == 7\n"
    ((_, done),) = run_checks("python", ["numbers"], tmp_path, lambda check: check + wrong)
    assert done.returncode != 0 and "AssertionError" in done.stderr
