"""The list of languages: every part of the package that needs a row has one for each of them."""

from __future__ import annotations

import configparser
import importlib
import re
from pathlib import Path

import pytest

from softnce_jax.data.mining.languages import RULES
from softnce_jax.data.sample import load_sample
from softnce_jax.languages import LANGUAGES, grammar, parser

SETUP = configparser.ConfigParser()
SETUP.read(Path(__file__).resolve().parents[1] / "setup.cfg")


def test_mining_has_rules_for_the_same_languages():
    assert list(RULES) == list(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_grammars_parse_a_function_in_one_of_the_wrappers(language):
    code = load_sample(language).train[0].code
    roots = [
        parser(language).parse(f"{before}{code}{after}".encode()).root_node
        for before, after in LANGUAGES[language].wrappers
    ]
    assert any(not root.has_error for root in roots)
    before, _ = LANGUAGES[language].wrappers[0]
    assert parser(language).parse(f"{before}{{{{{{(".encode()).root_node.has_error
    assert parser(language) is parser(language) and grammar(language) is grammar(language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_data_flow_has_tables_and_setup_pins_the_grammar(language):
    tables = importlib.import_module(f"softnce_jax.dataflow.languages.{language}")
    assert tables.PUBLISHED and tables.EXTENDED
    package = LANGUAGES[language].grammar.partition(":")[0].replace("_", "-")
    pins = SETUP["options.extras_require"]["train"].split("\n")
    assert [pin for pin in pins if re.fullmatch(rf"{package}==[\d.]+", pin)]


def test_the_wheel_takes_the_sample_whatever_its_languages():
    root = Path(importlib.import_module("softnce_jax.data.sample").__file__).parent
    patterns = SETUP["options.package_data"]["softnce_jax.data.sample"].split(", ")
    packed = {path for pattern in patterns for path in root.glob(pattern) if path.is_file()}
    families = {path.parent for path in root.glob("*/tasks.toml")}
    endings = [language.endings[0] for language in LANGUAGES.values()]
    names = ["tasks.toml", *(f"{{}}{ending}" for ending in endings)]
    wanted = {family / name.format(family.name) for family in families for name in names}
    assert wanted <= packed and len(wanted) == len(families) * (1 + len(LANGUAGES))
    assert not [path for path in packed if path.suffix == ".pyc"]
