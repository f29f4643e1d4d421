"""The files of a run: which one is whose, and what a kill may leave of them."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import pytest

from softnce_jax.data.sample import load_sample
from softnce_jax.errors import InputError
from softnce_jax.files import whole_folder, write_digests
from softnce_jax.train.config import ADDED, Config, differences
from softnce_jax.train.fit import identify, read_inputs
from softnce_jax.train.run_folder import RunFolder, read_metrics
from tests.train.corpus import write_encoder, write_tasks
from tests.train.prepare import prepare

# Of `finetune.py --lang ruby` in the release before the package was laid out anew.
OLD_CONFIG = Path(__file__).parent / "config_of_the_last_release.json"


def identity_of(**given) -> dict:
    config, data = prepare(Config(lang="ruby", data="sample", **given))
    return identify(config, data, {}) | {"data": "auto"}


def test_a_run_of_the_last_release_is_the_same_run(tmp_path):
    """Its checkpoints are restored only if no field of the configuration differs."""
    old, new = json.loads(OLD_CONFIG.read_text("utf-8")), identity_of()
    assert differences(old, new) == []
    shutil.copy(OLD_CONFIG, tmp_path / "config.json")
    assert RunFolder(tmp_path, new).results() is None
    # The control: another seed is another run.
    with pytest.raises(InputError, match=r"another configuration \(seed: 1234 -> 7\)"):
        RunFolder(tmp_path, identity_of(seed=7))


def test_what_makes_the_numbers_is_in_the_identity(tmp_path, monkeypatch):
    """Data, hard negatives, an estimator's model and a user's loss, each by its content."""
    config, data = prepare(Config(lang="ruby", data="sample"))
    hard = lambda name: data._replace(negatives=SimpleNamespace(hash=name))
    model = lambda name: {"teacher": SimpleNamespace(hash=name)}
    users = dataclasses.replace(config, loss="users_loss:loss")
    monkeypatch.syspath_prepend(tmp_path)
    identities = [
        identify(config, data, {}),
        identify(config, data._replace(corpora=[load_sample("go")]), {}),
        identify(config, data._replace(corpora=[*data.corpora, load_sample("go")]), {}),
        identify(config, data._replace(corpora=[*data.corpora, load_sample("php")]), {}),
        *(identify(config, hard(name), {}) for name in "ab"),
        *(identify(config, data, model(name)) for name in "ab"),
    ]
    for source in ("def loss(): 1", "def loss(): 2"):
        sys.modules.pop("users_loss", None)
        (tmp_path / "users_loss.py").write_text(source)
        identities.append(identify(users, data, {}))
    sys.modules.pop("users_loss")
    for first, second in itertools.combinations(identities, 2):
        assert differences(first, second), (first, second)
    assert not differences(identities[0], identify(config, data, {}))


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty and holds no run"):
        RunFolder(tmp_path, {})


def test_nothing_is_written_before_the_start(tmp_path):
    run = RunFolder(tmp_path / "run", {"seed": 1})
    assert not run.folder.exists()
    run.start()
    assert [path.name for path in run.folder.iterdir()] == ["config.json"]
    assert RunFolder(tmp_path / "run", {"seed": 1}).results() is None


def test_metrics_end_with_the_step_of_the_checkpoint(tmp_path):
    run = RunFolder(tmp_path / "run", {})
    run.start()
    run.cut_metrics(0)  # there are none yet
    for step in (1, 2, 2, 3):
        run.log({"step": step, "loss": step / 3})
    with (run.folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')  # as a kill leaves it
    run.cut_metrics(2)
    assert [line["step"] for line in read_metrics(run.folder)] == [1, 2, 2]
    assert read_metrics(run.folder)[0] == {"step": 1, "loss": 1 / 3}


def test_metrics_are_json(tmp_path):
    """What is undefined is null, also in the lines of an older run that is resumed."""
    run = RunFolder(tmp_path / "run", {})
    run.start()
    run.log({"step": 1, "loss": 0.5, "p_mean": math.nan, "pairs_per_second": math.inf})
    path = run.folder / "metrics.jsonl"
    expected = '{"step": 1, "loss": 0.5, "p_mean": null, "pairs_per_second": null}\n'
    assert path.read_text() == expected
    path.write_text('{"step": 1, "loss": 0.5, "p_mean": NaN, "pairs_per_second": Infinity}\n')
    run.cut_metrics(1)
    assert path.read_text() == expected
    assert read_metrics(run.folder)[0]["p_mean"] is None


def test_a_run_is_complete_once_its_results_are_there(tmp_path):
    run = RunFolder(tmp_path / "run", {"seed": 1})
    run.start()
    run.finish({"metrics": {"mrr": 0.5}})
    assert RunFolder(tmp_path / "run", {"seed": 1}).results() == {"metrics": {"mrr": 0.5}}


def test_what_a_kill_left_of_the_configuration_is_no_other_content(tmp_path):
    (tmp_path / ".config.json.0a1b2c3d").write_text('{"see')
    RunFolder(tmp_path, {"seed": 1}).start()
    assert json.loads((tmp_path / "config.json").read_text()) == {"seed": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_two_programs_do_not_train_into_one_folder(tmp_path):
    first, second = (RunFolder(tmp_path, {"seed": 1}) for _ in range(2))
    first.start()
    refused = pytest.raises(InputError, match="another program trains in it now")
    with first.locked(), refused, second.locked():
        pass
    with second.locked():
        pass


@pytest.fixture
def complete(tmp_path):
    """A complete run with a model of one file."""
    run = RunFolder(tmp_path / "run", {"seed": 1})
    run.start()
    with whole_folder(run.model) as folder:
        (folder / "model.safetensors").write_bytes(b"weights")
        write_digests(folder)
    run.finish({"metrics": {}})
    assert run.whole_results() == {"metrics": {}}
    return run


@pytest.mark.parametrize("damage", ["changed", "deleted", "folder deleted"])
def test_a_complete_run_knows_whether_its_model_is_whole(complete, caplog, damage):
    weights = complete.model / "model.safetensors"
    if damage == "changed":
        weights.write_bytes(b"weightz")
    elif damage == "deleted":
        weights.unlink()
    else:
        shutil.rmtree(complete.model)
    with pytest.raises(InputError, match="no checkpoint is left to make it again: remove"):
        complete.whole_results()
    (complete.checkpoints / "12").mkdir(parents=True)
    assert complete.whole_results() is None
    assert "made again of a checkpoint" in caplog.text


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[1]", "expected object, got array"),
        (b'{"loss": 1.0}', "object missing required field step"),
        (b'{"step": "1"}', "step: expected int, got str"),
        (b'{"step": 2, "loss": []}', "loss: expected float"),
        (b'{"step": 2, "lo', "not JSON"),
        (b'{"step": 2, "x": "\xff"}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"", "not JSON"),
        (b'{"step": 2, "loss": 1e400}', "loss: expected float, finite"),
        (b'{"step": 2, "loss": 1e308}', "loss: expected float, finite"),
        (b'{"step": 2, "valid_mrr": NaN}', "valid_mrr: expected float"),
        (b'{"step": 2, "valid_mrr": 1.5}', "valid_mrr: expected float"),
    ],
)
def test_a_bad_line_of_metrics_is_named(line, reason, tmp_path):
    run = RunFolder(tmp_path / "run", {})
    run.start()
    for step in (1, 2):
        run.log({"step": step, "loss": None})
    path = run.folder / "metrics.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + line + b"\n" + whole)
    for read in (lambda: read_metrics(run.folder), lambda: run.cut_metrics(2)):
        with pytest.raises(InputError, match=f"{path}:3: {reason}") as caught:
            read()
        assert "\n" not in str(caught.value)
    path.write_bytes(whole)
    assert [line["step"] for line in read_metrics(run.folder)] == [1, 2]  # negative control


@pytest.mark.parametrize("value", [7, None, [], "nowhere"])
def test_a_stored_path_of_any_type_is_compared(value, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"data": value}))
    with pytest.raises(InputError, match=r"another configuration .data: "):
        RunFolder(tmp_path, {"data": "sample"})


@pytest.mark.parametrize("content", [b"[]", b"7", b"\xff", b'{"seed": 1', b"[" * 100_000])
def test_damaged_files_of_a_run_are_one_line(content, tmp_path):
    run = RunFolder(tmp_path / "run", {"seed": 1})
    run.start()
    (run.folder / "results.json").write_bytes(content)
    with pytest.raises(InputError, match=r"results.json: ") as caught:
        run.whole_results()
    (run.folder / "config.json").write_bytes(content)
    with pytest.raises(InputError, match=r"config.json: ") as other:
        RunFolder(tmp_path / "run", {"seed": 1})
    assert "\n" not in f"{caught.value}{other.value}"


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    return write_tasks(tmp_path_factory.mktemp("tasks"))


@pytest.mark.parametrize("changed", ["weights", "tokenizer", None])
def test_an_encoder_whose_content_changed_is_another_run(changed, tasks, tmp_path):
    """Its name stays, as that of a folder trained anew or of a branch of the Hub."""
    encoder = write_encoder(tmp_path / "enc", tasks)
    config = Config(
        lang="python", data=str(tasks), encoder=str(encoder), batch_size=8, out=str(tmp_path / "r")
    )
    RunFolder(config.out, read_inputs(config).identity).start()
    if changed == "weights":
        write_encoder(encoder, tasks, seed=1)
    elif changed == "tokenizer":
        path = encoder / "tokenizer.json"
        path.write_text(path.read_text("utf-8") + " ", "utf-8")
    identity = read_inputs(config).identity
    if changed is None:
        assert RunFolder(config.out, identity).results() is None
        return
    with pytest.raises(InputError, match=f"encoder_hash: {encoder} has other weights"):
        RunFolder(config.out, identity)
    # A run of the last release does not say what its encoder was.
    path = Path(config.out) / "config.json"
    stored = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({k: stored[k] for k in stored if k not in ADDED}), "utf-8")
    assert RunFolder(config.out, identity).results() is None


def test_another_generator_is_another_run():
    """The same seed draws other weights with it."""
    plain = identity_of()
    assert plain["random_generator"] == "threefry2x32, partitionable"
    assert plain["encoder_hash"] is None
    for name, value in (
        ("jax_default_prng_impl", "rbg"),
        ("jax_threefry_partitionable", False),
    ):
        before = getattr(jax.config, name)
        jax.config.update(name, value)
        try:
            (line,) = differences(plain, identity_of())
        finally:
            jax.config.update(name, before)
        assert line.startswith("random_generator: 'threefry2x32, partitionable' -> ")


def test_a_home_folder_by_either_name_is_the_same_run(tasks, tmp_path, monkeypatch):
    """A shell expands ~ in `--data ~/x`, and not in `--data=~/x`."""
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copytree(tasks, tmp_path / "tasks")
    write_encoder(tmp_path / "enc", tasks)
    names = [
        Config(lang="python", batch_size=8, **{k: f"{home}/{v}" for k, v in paths.items()})
        for home in ("~", tmp_path)
        for paths in [{"data": "tasks", "encoder": "enc", "out": "run"}]
    ]
    first, second = (read_inputs(config) for config in names)
    assert first.identity["data"] == "~/tasks"  # as it was given
    RunFolder(first.config.out, first.identity).start()
    assert (tmp_path / "run" / "config.json").exists()
    RunFolder(second.config.out, second.identity)
    with pytest.raises(InputError, match="data: '~/tasks' -> '~/other'"):
        RunFolder(second.config.out, second.identity | {"data": "~/other"})
