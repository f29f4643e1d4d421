"""The examples of README and docs run as they stand there, and the tables of defaults are true."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softnce_jax import registry
from softnce_jax.errors import InputError
from softnce_jax.estimators.function import function
from softnce_jax.estimators.precomputed import precomputed_features
from softnce_jax.pretrained.presets import PRESETS, Preset
from softnce_jax.pretrained.static import write_static
from softnce_jax.train.config import Config
from softnce_jax.train.fit import fit
from tests.estimators.conftest import pairs
from tests.small_model import write_model
from tests.small_static import small_static
from tests.train.corpus import write_encoder, write_tasks

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


def example(name: str) -> str:
    """The one Python example of a document."""
    (source,) = re.findall(r"```python\n(.*?)```", (DOCS / name).read_text("utf-8"), re.DOTALL)
    return source


def rows(name: str) -> list[list[str]]:
    """The cells of a document's first table, its head left out."""
    table = re.search(r"(^\|.*\n)+", (DOCS / name).read_text("utf-8"), re.MULTILINE)[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return cells[2:]


def test_the_users_function_of_the_docs(tmp_path, monkeypatch):
    assert "my_estimator:first_words" in (DOCS / "estimators.md").read_text("utf-8")
    (tmp_path / "my_estimator.py").write_text(example("estimators.md"))
    monkeypatch.chdir(tmp_path)
    estimator = function("my_estimator:first_words")
    queries = ["Sort a list", "read a file", "sort numbers", ""]
    a, b = precomputed_features(estimator, pairs(queries, [""] * 4), folder=tmp_path / "f")
    expected = [[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(a @ b.T, expected)


def test_the_text_encoder_of_the_docs(tmp_path):
    blocks = re.findall(
        r"```python\n(.*?)```", (DOCS / "training.md").read_text("utf-8"), re.DOTALL
    )
    (source,) = [block for block in blocks if "load_encoder" in block]
    run = "runs/ruby-tiny-soft_infonce-bm25-1234"
    assert run in source
    names: dict = {}
    model = write_model(tmp_path / "model", ["read a file line by line", "def sum(xs)"])
    exec(source.replace(run, str(model)), names)
    q, c = names["q"], names["c"]
    np.testing.assert_allclose(names["model"].similarity(q, c), q @ c.T, rtol=1e-6)
    assert names["rank"](q, c).tolist() == [1 + (q[0] @ c[1] > q[0] @ c[0])]


def test_the_static_encoder_of_the_docs(tmp_path):
    run, source = "runs/python-static-soft_infonce-bm25-1234", example("static.md")
    assert run in source
    write_static(tmp_path / "model", small_static(["read a file line by line"] * 2))
    names: dict = {}
    exec(source.replace(run, str(tmp_path / "model")), names)
    assert names["model"].similarity(names["q"], names["c"]).shape == (1, 2)


def test_the_static_encoders_defaults_are_those_of_its_document():
    text, chosen = (DOCS / "static.md").read_text("utf-8"), PRESETS["static"]
    assert f"{chosen.code_length:,} characters" in text
    epochs, rate = chosen.epochs, f"{chosen.learning_rate:g}".replace("0.00", "") + "e-3"
    defaults = f"batches of {chosen.batch_size:,}, {epochs} epochs, a peak of {rate}"
    assert defaults in text


@pytest.fixture
def users_loss(tmp_path, monkeypatch):
    """A folder with the document's my_losses.py, the current one."""
    assert "--loss my_losses:margin" in (DOCS / "losses.md").read_text("utf-8")
    (tmp_path / "my_losses.py").write_text(example("losses.md"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "my_losses.py"
    sys.modules.pop("my_losses", None)


def test_the_users_loss_of_the_docs_by_hand(users_loss):
    row = registry.loss("my_losses:margin")
    assert row.target == "w" and row.settings == registry.WEIGHTS
    margin = registry.resolve(row.function)
    random = np.random.default_rng(0)
    q, c = random.normal(size=(4, 3)), random.normal(size=(8, 3))
    w, where = random.uniform(size=(4, 8)), random.uniform(size=(4, 8)) > 0.3
    positive, score = np.arange(4) * 2, 2.0 * q @ c.T
    for mask in (None, where):
        expected = sum(
            w[i, j] * max(0.0, 1 + score[i, j] - score[i, positive[i]])
            for i in range(4)
            for j in range(8)
            if j != positive[i] and (mask is None or mask[i, j])
        )
        found = margin(q, c, w, positive=jnp.asarray(positive), where=mask, scale=2.0)
        np.testing.assert_allclose(found, expected / 4, rtol=1e-5)


@pytest.mark.slow
def test_the_users_loss_of_the_docs_trains(users_loss, tmp_path):
    data = write_tasks(tmp_path / "tasks")
    encoder = str(write_encoder(tmp_path / "encoder", data))
    given = {"lang": "python", "data": str(data), "encoder": encoder, "batch_size": 8, "epochs": 1}
    config = Config(loss="my_losses:margin", out="run", **given)
    results = fit(config)
    assert results["config"]["loss"] == "my_losses:margin" and results["config"]["alpha"] == 1.5
    lines = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert len(losses) == 3 and all(np.isfinite(losses))
    assert all("weight_entropy" in line for line in lines if "loss" in line)

    # The source is part of the run: unchanged it resumes, changed it is another run.
    assert fit(config) == results
    users_loss.write_text(users_loss.read_text().replace("1.0 +", "2.0 +"))
    sys.modules.pop("my_losses")
    with pytest.raises(InputError, match="loss_hash"):
        fit(config)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("my_losses:missing", "has no function missing"),
        ("nowhere_at_all:margin", "cannot be imported"),
        ("my_losses:other", "third argument is 'weights'"),
    ],
)
def test_a_users_loss_that_cannot_be_used_is_refused_before_any_work(loss, message, users_loss):
    with users_loss.open("a") as file:
        file.write("\n\ndef other(q, c, weights, *, positive, where, scale): ...\n")
    config = Config(lang="python", data="sample", encoder="tiny", loss=loss, out="run")
    with pytest.raises(InputError) as caught:
        fit(config)
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert not Path("run").exists()


def test_the_readme_is_short():
    """The first screens; what comes after them stands in docs/."""
    assert len((ROOT / "README.md").read_bytes()) <= 8 * 1024


def test_the_losses_in_your_own_code():
    """README's first two blocks, one after the other, as one program; the loss falls."""
    readme = (ROOT / "README.md").read_text()
    first, second, *_ = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    names: dict = {}
    exec(first + second, names)
    assert names["loss"] > 0
    given = names["q"], names["c"], names["similarity"]
    later = names["step"](names["params"], names["opt_state"], *given)[2]
    assert later < names["loss"]


@pytest.mark.parametrize("target", ["weights", "distribution"])
def test_a_map_over_devices(target):
    """The document's step is that of one device; without `positive` it is another."""
    source = example("devices.md")
    if target == "distribution":
        source = source.replace("negative_weights", "negative_distribution").replace(
            "alpha=1.3, beta=0.7, ", ""
        )
        source = source.replace("soft_infonce", "weighted_infonce")
    alone = source.replace(", positive=own", "").replace(', axis_name="data"', "")
    alone = alone.replace('jax.lax.axis_index("data")', "0")
    random = np.random.default_rng(0)
    shapes = (8, 8), (16, 8), (16, 8), (16, 16)
    given = [jnp.asarray(random.normal(size=shape), jnp.float32) for shape in shapes]
    given[3] += 4 * jnp.eye(16)  # a row's own candidate is the most similar

    def run(source, name):
        names: dict = {}
        exec(source, names)
        step = names[name] if name == "step" else jax.jit(jax.value_and_grad(names[name]))
        return step(*given)

    value, gradients = run(source, "step")
    expected, slopes = run(alone, "loss")
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    np.testing.assert_allclose(gradients, slopes, atol=1e-6)
    bare, others = run(source.replace(", positive=own", ""), "step")
    assert abs(bare - expected) > 1e-3 and np.abs(others - slopes).max() > 1e-3


def test_the_table_of_losses():
    """Every loss of the registry, what it reads, its flags and their defaults."""
    *ours, users = rows("losses.md")
    assert users[0] == f"`{'package.module:function'}`"
    assert [row[0].strip("`") for row in ours] == list(registry.LOSSES)
    for name, _, reads, settings in ours:
        row = registry.loss(name.strip("`"))
        assert reads == (row.target or "")
        given: dict[str, float | None] = {}
        for part in filter(None, settings.split(";")):
            flags = re.findall(r"`--([\w-]+)`(?: ([\d.]+))?", part)
            given |= {flag.replace("-", "_"): float(x) if x else None for flag, x in flags}
            assert part.rstrip().endswith(": the estimator's") == (not flags[-1][1])
        assert given == dict(row.settings)


def test_the_table_of_estimators():
    table = rows("estimators.md")
    assert [row[0].strip("`") for row in table[:-2]] == list(registry.ESTIMATORS)
    for name, *_, defaults in table[:-2]:
        row = registry.estimator(name.strip("`"))
        assert [float(x) for x in defaults.split(",")] == [row.alpha, row.beta, row.temperature]
    users = registry.estimator("package.module:function")
    assert table[-2][-1] == f"{users.alpha}, {users.beta}, yours"


def test_the_table_of_defaults():
    table = [
        [cell.strip() for cell in line.strip("|\n").split("|")]
        for line in (DOCS / "defaults.md").read_text().splitlines()
        if line.startswith("| ")
    ]
    names, *table = table
    assert names[1:] == ["codebert", "graphcodebert", "unixcoder", "others", "tiny"]
    for column, name in enumerate(names[1:], 1):
        preset = Preset(None) if name == "others" else PRESETS[name]
        for row in table[:6]:
            field = row[0].strip("`-").replace("-", "_")
            assert float(row[column]) == getattr(preset, field), (name, field)
        flow = preset.dataflow if preset.dataflow == "none" else f"published, {preset.flow_length}"
        assert table[6][column] == flow
        assert name == "others" or table[7][column] == preset.pooling


def test_links_lead_somewhere():
    """Files that documents name in links, and modules of the package that they name in code."""
    documents = [*DOCS.glob("*.md"), ROOT / "CONTRIBUTING.md", ROOT / "README.md"]
    for path in documents:
        text = path.read_text("utf-8")
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert (path.parent / link).exists(), f"{path.name}: {link}"
        for name in re.findall(
            r"`((?:softnce_jax|tests|docs|experiments|benchmarks)/[\w./]+)`", text
        ):
            assert (ROOT / name).exists(), f"{path.name}: {name}"
