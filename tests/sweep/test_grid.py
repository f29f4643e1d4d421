"""Grids from flags and files: which cells there are, in which order, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from softnce_jax.errors import InputError
from softnce_jax.sweep.grid import make_grid
from softnce_jax.sweep.negatives import experiment
from softnce_jax.train.config import Config, resolve

OUT = Path("runs/sweep")


def grid(*, out=OUT, settings=(), file=None, **texts):
    return make_grid(out, grid=file, texts=texts, settings=settings)


def names(**flags) -> list[str]:
    return [cell.name for cell in grid(**flags)]


def test_the_default_grid_is_the_papers():
    cells = grid()
    assert len(cells) == 6 * 2 * 3 and len({cell.name for cell in cells}) == 36
    assert [cell.config.seed for cell in cells] == [1234] * 12 + [12345] * 12 + [123456] * 12
    assert {cell.config.estimator for cell in cells if cell.config.loss == "infonce"} == {None}


def test_flags_become_configurations():
    (cell,) = grid(
        lang="go", loss="soft_infonce", seed="7", data="folder", out=Path("here"),
        settings=("alpha=1", "batch-size=8", "download=true"),
    )  # fmt: skip
    assert cell.config == Config(
        lang="go", loss="soft_infonce", seed=7, data="folder", alpha=1.0, batch_size=8,
        estimator="bm25", download=True, out=f"here/{cell.name}",
    )  # fmt: skip
    assert cell.name == "go-auto-soft_infonce-bm25-7-alpha1.0-batch_size8"


@pytest.mark.parametrize("setting", ["cancel_k=1,2", "alpha=1.1,1.3"])
def test_infonce_is_run_once_whatever_others_read(setting):
    loss = "infonce,cancel_top_k" if "cancel" in setting else "infonce,soft_infonce"
    found = names(lang="go", seed="1", loss=loss, settings=(setting,))
    assert len(found) == 3 and found[0] == "go-auto-infonce-none-1"


def test_a_setting_is_in_the_names_of_its_cells():
    found = names(lang="go", seed="1", settings=("alpha=1.1,1.3",))
    assert found == [
        "go-auto-infonce-none-1",
        "go-auto-soft_infonce-bm25-1-alpha1.1",
        "go-auto-soft_infonce-bm25-1-alpha1.3",
    ]


def test_a_file_gives_groups_and_flags_replace_its_top_level(tmp_path):
    path = tmp_path / "grid.toml"
    path.write_text(
        'lang = ["go"]\nseed = [1, 2]\nepochs = 2\n'
        '[[cells]]\nloss = "infonce"\n'
        '[[cells]]\nloss = "soft_infonce"\nbeta = [0.5, 0.7]\n'
    )
    found = names(file=str(path), seed="3")
    assert found == [
        "go-auto-infonce-none-3-epochs2",
        "go-auto-soft_infonce-bm25-3-beta0.5-epochs2",
        "go-auto-soft_infonce-bm25-3-beta0.7-epochs2",
    ]
    assert len(names(file=str(path))) == 6


LOSSES = """
import jax.numpy as jnp

def plain(q, c, *, positive, where, scale):
    return jnp.mean(q @ c.T)

def weighted(q, c, w, *, positive, where, scale):
    return jnp.mean(w * (q @ c.T))
"""


def test_a_users_loss_is_a_cell_with_what_it_reads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("grid_losses.py").write_text(LOSSES)
    found = grid(
        lang="go",
        seed="1",
        loss="grid_losses:plain,grid_losses:weighted",
        settings=("alpha=1.1,1.3",),
    )
    assert [cell.name for cell in found] == [
        "go-auto-grid_losses_plain-none-1",
        "go-auto-grid_losses_weighted-bm25-1-alpha1.1",
        "go-auto-grid_losses_weighted-bm25-1-alpha1.3",
    ]
    settled = [resolve(cell.config, on_sample=True, train_pairs=64)[0] for cell in found]
    assert [config.loss.partition(":")[2] for config in settled] == ["plain", *["weighted"] * 2]
    assert [(config.estimator, config.alpha) for config in settled] == [
        ("none", None), ("bm25", 1.1), ("bm25", 1.3),
    ]  # fmt: skip


BAD = {
    "unknown setting": ({"settings": ("epoch=1",)}, "no setting 'epoch'"),
    "no value": ({"settings": ("epochs",)}, "--set epochs: write it as name=value"),
    "another type": ({"settings": ("epochs=many",)}, "epochs = 'many': expected int"),
    "not among the choices": ({"settings": ("layout=rows",)}, "layout = 'rows': expected"),
    "no scale": (
        {"settings": ("scale=foo",)},
        r"scale = 'foo': expected float | Literal\['learned",
    ),
    "no such loss": ({"loss": "infonce,hinge"}, "--loss hinge: no such loss; give soft_infonce"),
    "no such function": ({"loss": "nowhere:hinge"}, "nowhere cannot be imported"),
    "no such estimator": ({"estimator": "bm25,bm52"}, "--estimator bm52: 'bm52' at character 1"),
    "too many": (
        {"settings": (f"alpha={','.join(map(str, range(1, 3000)))}",), "seed": "1,2,3,4"},
        "a grid of 143,952 cells, at most 10,000",
    ),
    "nothing": ({"seed": ","}, "seed has no values"),
    "a folder of its own": ({"settings": ("out=there",)}, "no setting 'out'"),
    "two cells, one name": ({"settings": ("keep=2,3",)}, "two cells would be called"),
    "no file": ({"file": "nowhere.toml"}, "nowhere.toml: no such file"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_grid(case):
    flags, message = BAD[case]
    with pytest.raises(InputError, match=message):
        names(**flags)


@pytest.mark.parametrize(
    ("text", "message"),
    [("seed = [", "grid.toml: "), ("[cells]\nseed = 1\n", r"write \[\[cells\]\]")],
)
def test_files_that_are_no_grid(tmp_path, text, message):
    (tmp_path / "grid.toml").write_text(text)
    with pytest.raises(InputError, match=message):
        names(file=str(tmp_path / "grid.toml"))


def test_a_learned_scale_beside_fixed_ones():
    flags = {"lang": "go", "loss": "infonce", "seed": "1", "settings": ("scale=learned,20",)}
    assert names(**flags) == [f"go-auto-infonce-none-1-scale{x}" for x in ("learned", 20.0)]


def test_the_experiment_on_negatives_has_every_fold_and_seed():
    cells = experiment(Path("runs/negatives"), seeds="1,2", settings=("epochs=1",))
    assert len(cells) == 4 * 2 * 2
    assert {(c.config.fold, c.config.seed, c.config.loss) for c in cells} == {
        (fold, seed, loss)
        for fold in range(4)
        for seed in (1, 2)
        for loss in ("infonce", "soft_infonce")
    }
    assert {(c.config.lang, c.config.data, c.config.epochs) for c in cells} == {
        ("all", "sample", 1)
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"cells = [1, 2]", r"write \[\[cells\]\]"),
        (b"epochs = " + b"1" * 5000, "grid.toml: "),
        (b"a = " + b"[" * 100_000, "grid.toml: "),
        (b"\xff", "grid.toml: "),
        (b"seed = [[1]]", r"grid.toml: seed = \[1\]: expected int"),
        (b"epochs = 0", "--epochs 0: expected int >= 1"),
        (b"epochs = 1000000000000000000", "--epochs 1000000000000000000: "),
        (b"alpha = nan", "--alpha nan: "),
        (b"seed = -1", "--seed -1: "),
        (b'lang = "rubby"', "grid.toml: unknown language 'rubby': lang takes "),
        (b"[[cells]]\nlosss = 1", "grid.toml: no setting 'losss'"),
        (b"encoder = 1", "encoder = 1: expected str"),
        (b"lang = {a = 1}", "lang = .*: expected str"),
    ],
)
def test_damaged_grids_are_one_line(tmp_path, text, message):
    path = tmp_path / "grid.toml"
    path.write_bytes(text)
    with pytest.raises(InputError, match=message) as caught:
        names(file=str(path))
    assert "\n" not in str(caught.value)
    path.write_text('lang = "go"\nseed = [1]\nepochs = 2')  # negative control
    assert len(names(file=str(path))) == 2


@pytest.mark.parametrize("value", ["1" * 5000, "[" * 10_000, "nan", "-inf", "1e999"])
def test_values_of_flags_that_are_none_are_one_line(value):
    with pytest.raises(InputError) as caught:
        names(lang="go", settings=(f"alpha={value}",))
    assert "\n" not in str(caught.value)


def test_a_grid_may_lie_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "grid.toml").write_text('lang = "go"\nloss = "infonce"\nseed = 1\n')
    assert names(file="~/grid.toml") == ["go-auto-infonce-none-1"]
    with pytest.raises(InputError, match=r"~/other.toml: no such file"):
        names(file="~/other.toml")


def test_a_grid_may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "grid.toml"
    text = 'lang = "go"\nloss = "infonce"\nseed = 1\n'
    for content in (text.encode(), text.encode("utf-8-sig")):
        path.write_bytes(content)
        assert names(file=str(path)) == ["go-auto-infonce-none-1"]
    path.write_bytes(text.encode("utf-16"))
    with pytest.raises(InputError, match=r"grid.toml: "):
        names(file=str(path))
