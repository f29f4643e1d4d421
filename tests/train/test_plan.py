"""Plans of steps: shapes are those that training has, memory what its program takes, advice."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from softnce_jax import cli
from softnce_jax.errors import InputError
from softnce_jax.files import write_json
from softnce_jax.mesh import make_mesh, shard_rows
from softnce_jax.pretrained.static import write_static
from softnce_jax.train import plan, topologies
from softnce_jax.train.compiled import Bound, Collective, Memory
from softnce_jax.train.config import Config
from softnce_jax.train.features import make_features
from softnce_jax.train.plan import (
    Choice,
    Planner,
    Program,
    advise,
    batch_sizes,
    micro_batches,
    read_lengths,
    search,
)
from softnce_jax.train.plan_report import choice_line, plan_json, plan_lines, verdict
from softnce_jax.train.setup import (
    build_encoder,
    build_step,
    make_batches,
    make_processor,
    schedule_of,
)
from softnce_jax.train.topologies import Topology, parse_topology
from tests.small_static import small_static
from tests.train.corpus import write_encoder, write_tasks
from tests.train.prepare import prepare

V5E = parse_topology("v5e-4")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plan")
    write_encoder(folder / "encoder", write_tasks(folder / "tasks"))
    write_static(folder / "static", small_static(["read a file line by line"] * 2))
    return folder


@pytest.fixture
def here(monkeypatch):
    """The test's four devices in the place of described ones."""
    monkeypatch.setattr(plan, "described_devices", lambda _: jax.devices()[:4])


def config_of(folder, **options) -> Config:
    given = {"lang": "python", "data": f"{folder / 'tasks'}", "batch_size": 8} | options
    encoder = given.pop("encoder", "encoder")
    return Config(encoder=f"{folder / encoder}" if encoder != "tiny" else "tiny", **given)


def shapes(tree) -> list[tuple]:
    return [(x.shape, np.dtype(x.dtype)) for x in jax.tree.leaves(tree)]


def run_of(config: Config, devices=4):
    """What training makes of a configuration: its step, state and first epoch's batches."""
    mesh = make_mesh(jax.devices()[:devices])
    config, data = prepare(config)
    encoder, params = build_encoder(config, data.train)
    processor = make_processor(encoder, [], config.data)
    features = make_features(config, data.train, processor, {}, None)
    made = make_batches(config, data.train, processor, features, data.negatives, mesh)
    schedule = schedule_of(config, len(data.train))
    step, state = build_step(config, encoder, params, schedule, mesh)
    return step, state, [made.dataset[n] for n in range(2 * schedule.total)], mesh


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"loss": "infonce", "duplicates": "exclude"},
        {"micro_batch": 4, "layout": "padded"},
        {"scale": "learned", "encoder": "static"},
    ],
    ids=["packed", "keys", "slices", "static"],
)
def test_batches_are_those_that_training_has(options, folder, here):
    config = config_of(folder, **options)
    planner = Planner(config, V5E)
    planned = planner._batches(planner.config)
    _, _, trained, _ = run_of(config)
    assert {str(shapes(batch)) for batch in trained} & {str(shapes(batch)) for batch in planned}
    assert {x.sharding.spec for x in jax.tree.leaves(planned[0])} == {PartitionSpec("data")}
    sizes = [plan._bytes(batch) for batch in planned]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] >= max(plan._bytes(batch) for batch in trained) * 0.9


@pytest.mark.slow
def test_the_program_is_that_of_training(folder, here):
    """Memory, products and collectives of the step that would run."""
    config = config_of(folder, precision="bfloat16")
    step, state, trained, mesh = run_of(config)
    planner = Planner(config, V5E)
    program = planner.compile(planner.config)
    alike = next(b for b in trained if b.texts.rows.ids.shape[1] == program.rows)
    compiled = step.func.lower(*step.args, state, shard_rows(alike, mesh)).compile()
    said = compiled.memory_analysis()
    memory = program.memory
    assert memory.temporaries == said.temp_size_in_bytes
    assert memory.parameters == sum(x.nbytes for x in jax.tree.leaves(state.params))
    assert memory.state == sum(x.nbytes for x in jax.tree.leaves(state))
    assert memory.batch == sum(x.nbytes for x in jax.tree.leaves(alike)) / 4
    assert program.fits and 0 < memory.state + memory.batch <= memory.peak
    assert program.products["bfloat16"] > 5 * program.products["exact"] > 0
    assert {each.kind for each in program.collectives} >= {"all-reduce"}
    assert program.bound.seconds == max(program.bound) > 0
    assert (program.length, program.config.batch_size) == (24, 8) and program.shapes >= 1


def test_what_does_not_fit_is_measured_too(folder, here, monkeypatch):
    planner = Planner(config_of(folder), V5E)

    class Traced(SimpleNamespace):
        def lower(self):
            raise RuntimeError(self.message)

    said = "RESOURCE_EXHAUSTED: the total memory required for program (17.49G) exceeds 15.75G"
    assert planner._finish(Traced(message=said), 0) == round(17.49 * 2**30)
    with pytest.raises(InputError, match="v5e-4: the compiler fails: INTERNAL: no"):
        planner._finish(Traced(message="INTERNAL: no\nreason"), 0)
    monkeypatch.setattr(planner, "_finish", lambda traced, arguments: 17 * 2**30)
    program = planner.compile(planner.config)
    assert not program.fits and program.bound is program.collectives is None
    assert "needs 17.00 GiB on each device, and there are 15.75" in verdict(program, V5E, [])
    assert any("it does not fit" in line for line in plan_lines(program, V5E))


def made_up(batch, *, slope=1 << 20, state=100 << 20, limit=1000 << 20, base=0, **options):
    """A program whose memory is a line, or almost one."""
    config = dataclasses.replace(Config(), batch_size=batch, **options)
    at_once = config.micro_batch or batch
    peak = round(state + base + slope * at_once * (0.5 if config.gradient_checkpointing else 1))
    memory = Memory(state // 3, state - state // 3, 5, 7, peak)
    sent = [Collective("all-reduce", "float32", 10**6, 4)]
    return Program(
        config,
        shapes=3,
        rows=2,
        length=256,
        seconds=4.2,
        memory=memory,
        fits=peak <= limit,
        products={"bfloat16": 2e12},
        collectives=sent,
        bound=Bound(0.01, 0.002, 0.03),
    )


@pytest.mark.parametrize("start", [8, 96, 888, 896, 904, 5000])
@pytest.mark.parametrize(("slope", "base"), [(1 << 20, 0), (1 << 20, 200 << 20), (1 << 30, 0)])
def test_the_search_finds_the_largest_that_fits(start, slope, base):
    sizes, compiled = batch_sizes(8, 10_000), []

    def program(size):
        compiled.append(size)
        return made_up(size, slope=slope, base=base)

    found = search(made_up(start, slope=slope, base=base), sizes, program, 1000 << 20)
    fitting = [size for size in {*sizes, start} if made_up(size, slope=slope, base=base).fits]
    assert (found and found.config.batch_size) == max(fitting, default=None)
    assert len(compiled) <= 9 and len(set(compiled)) == len(compiled)


def test_the_search_of_a_straight_line_takes_few_programs():
    compiled = []

    def program(size):
        compiled.append(size)
        return made_up(size)

    search(made_up(96), batch_sizes(8, 10_000), program, 1000 << 20)
    assert compiled == [896, 960]


def test_sizes():
    assert batch_sizes(8, 7) == [] and batch_sizes(8, 8) == [8]
    sizes = batch_sizes(4, 10_000)
    assert all(size % 4 == 0 for size in sizes) and sizes[-1] <= 10_000 < sizes[-1] * 1.13
    assert micro_batches(64, 8) == [32, 16, 8] and micro_batches(24, 8) == []
    assert micro_batches(7, 7) == []


class MadeUpPlanner(SimpleNamespace):
    def compile(self, config):
        self.asked.append((config.batch_size, config.micro_batch, config.gradient_checkpointing))
        options = {"micro_batch": config.micro_batch}
        return made_up(
            config.batch_size, gradient_checkpointing=config.gradient_checkpointing, **options
        )


def planner_of(pairs=10_000, in_bags=False):
    return MadeUpPlanner(
        asked=[],
        topology=SimpleNamespace(chip=SimpleNamespace(memory=1000 << 20)),
        mesh=SimpleNamespace(size=8),
        texts=SimpleNamespace(pairs=pairs),
        processor=SimpleNamespace(in_bags=in_bags),
    )


def test_advice_where_it_does_not_fit():
    planner, program = planner_of(), made_up(3584)
    choices = [*advise(planner, program)]
    assert [choice.flags for choice in choices] == [
        "--batch-size 896",
        "--micro-batch 896",
        "--gradient-checkpointing",
    ]
    assert [choice.program.fits for choice in choices] == [True, True, False]
    assert choices[0].about == "the largest that fits, to an eighth"
    assert (3584, 1792, False) not in planner.asked  # known not to fit
    why = verdict(program, V5E, choices)
    assert why.endswith("--batch-size 896, or --micro-batch 896") and "3584 pairs" in why


def test_advice_where_it_fits():
    planner, program = planner_of(pairs=500), made_up(256)
    choices = [*advise(planner, program)]
    assert [choice.flags for choice in choices] == [
        "--batch-size 480",  # the pairs that there are
        "--micro-batch 128",
        "--gradient-checkpointing",
    ]
    assert verdict(program, V5E, choices) is None
    assert choices[0].about == "there are no more pairs"


def test_no_advice_that_finetune_refuses():
    static = planner_of(in_bags=True)
    assert [choice.flags for choice in advise(static, made_up(256))] == ["--batch-size 896"]
    given = made_up(256, micro_batch=64, gradient_checkpointing=True)
    flags = [choice.flags for choice in advise(planner_of(), given)]
    assert len(flags) == 1 and flags[0].startswith("--batch-size ")


def test_the_report_and_its_json(tmp_path):
    program = made_up(256)
    choice = Choice("--micro-batch 64", "slices", made_up(256, micro_batch=64))
    text = "\n".join([*plan_lines(program, V5E), choice_line(choice, V5E)])
    for part in (
        "devices      4 x v5e, 15.75 GiB each to use",
        "256 pairs; on each device 2 rows of 256",
        "parameters 0.03, optimiser 0.07, batch 0.00, temporaries 0.00 GiB a device",
        "peak         0.35 of 15.75 GiB: it fits",
        "3 shapes of batches; this one, the largest, took 4 s",
        "2.000 TFLOP a device (2.000 bfloat16)",
        "1 all-reduce of float32, 1.0 MB in all",
        "no step is faster than 30 ms, for interconnect (products 10, memory 2, interconnect 30)",
        "--micro-batch 64               0.16 of 15.75 GiB, fits (slices)",
    ):
        assert part in text
    write_json(tmp_path / "plan.json", plan_json(program, V5E, [choice], ["a note"]))
    read = json.loads((tmp_path / "plan.json").read_text())
    assert read["topology"]["devices"] == 4 and read["notes"] == ["a note"]
    assert read["memory"]["peak"] == program.memory.peak and read["fits"] is True
    assert read["flops"] == {"bfloat16": 2e12}
    assert read["collectives"] == [
        {"kind": "all-reduce", "dtype": "float32", "count": 1, "bytes": 10**6}
    ]
    assert read["no_faster_than"]["binds"] == "interconnect"
    assert read["choices"][0]["flags"] == "--micro-batch 64"


def write_lengths(path, **arrays):
    np.savez(path, **arrays)
    return f"{path}"


def test_lengths_of_a_language_or_all_are_cut(tmp_path):
    arrays = {"go_q": [3, 99], "go_c": [5, 6], "php_q": [7], "php_c": [999]}
    path = write_lengths(tmp_path / "lengths.npz", **arrays)
    config = Config(lang="go", query_length=32, code_length=64)
    of = lambda config: [[len(ids) for ids in side] for side in read_lengths(path, config)[:2]]
    assert of(config) == [[3, 32], [5, 6]]
    assert of(dataclasses.replace(config, lang="all")) == [[3, 32, 7], [5, 6, 64]]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"go_q": [1], "go_c": [1]}, "no arrays ruby_q and ruby_c; it has go"),
        ({"ruby_q": [1, 2], "ruby_c": [1]}, "2 queries in ruby_q, 1 functions in ruby_c"),
        ({"ruby_q": [1, 0], "ruby_c": [1, 1]}, "ruby_q holds 0 to 1"),
        ({"ruby_q": [1.5], "ruby_c": [1]}, "ruby_q is no list of whole numbers"),
        ({"ruby_q": [], "ruby_c": []}, "ruby_q is no list of whole numbers"),
        ({}, "no arrays ruby_q and ruby_c; it has none"),
    ],
)
def test_lengths_that_cannot_be_used(arrays, said, tmp_path):
    path = write_lengths(tmp_path / "lengths.npz", **arrays)
    with pytest.raises(InputError, match=said):
        read_lengths(path, Config())


def test_no_file_of_lengths(tmp_path):
    with pytest.raises(InputError, match="no lengths can be read"):
        read_lengths(f"{tmp_path / 'none.npz'}", Config())
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(InputError, match=r"text\.npz: no lengths can be read"):
        read_lengths(f"{tmp_path / 'text.npz'}", Config())


@pytest.mark.parametrize(
    ("options", "lengths", "said"),
    [
        ({"batch_size": 6}, False, "--batch-size 6 is not divisible by 4 devices"),
        ({"batch_size": 8, "micro_batch": 2}, False, "--micro-batch 2 is not divisible"),
        ({"batch_size": 64}, False, "--batch-size 64 but only 24 training pairs"),
        ({"negatives": "x.jsonl"}, True, "--negatives x.jsonl needs the data"),
        ({"encoder": "tiny"}, True, "--encoder tiny is built from training texts"),
        ({"dataflow": "published", "flow_length": 8}, True, "--dataflow published needs the data"),
    ],
)
def test_what_cannot_be_planned(options, lengths, said, folder, here, tmp_path):
    path = write_lengths(tmp_path / "lengths.npz", python_q=[3] * 9, python_c=[5] * 9)
    with pytest.raises(InputError, match=said):
        Planner(config_of(folder, **options), V5E, path if lengths else None)


def test_lengths_in_the_place_of_data(folder, here, tmp_path):
    """A batch may be larger than the sample of lengths; the data are not looked for."""
    path = write_lengths(tmp_path / "lengths.npz", python_q=[8, 12] * 9, python_c=[20, 24] * 9)
    config = config_of(folder, data=f"{tmp_path / 'none'}", batch_size=64, estimator="bm25")
    planner = Planner(config, V5E, path)
    (batch, *_) = planner._batches(planner.config)
    # 16 pairs on each device: in each row of 24 a function, and queries in rows of two or three.
    assert batch.texts.rows.ids.shape[0] == 4 and 22 <= batch.texts.rows.ids.shape[1] <= 26
    assert batch.query_features.shape == (64, 128)
    assert "lengths of texts alone" in planner.notes[0]


def test_the_columns_of_the_batch_are_those_that_it_gets(folder, here):
    config = config_of(folder, loss="kl_regularized", batch_size=24)
    planner = Planner(config, V5E)
    _, _, (trained, *_), _ = run_of(config)
    (batch, *_) = planner._batches(planner.config)
    assert batch.query_features.shape == trained.query_features.shape


@pytest.mark.parametrize(("duplicates", "columns"), [("keep", 128), ("weight", 512)])
def test_words_of_one_query_have_columns_where_they_are_read(duplicates, columns, folder, here):
    planner = Planner(config_of(folder, duplicates=duplicates), V5E)
    planner.texts = planner.texts._replace(words=[range(4, 304), *[range(4, 9)] * 23])
    assert planner._columns(planner.config, np.arange(8)) == columns


def test_attention_of_gpus_is_told_to_be_the_form_without_the_kernel(folder, here):
    options = {"precision": "bfloat16", "attention_dropout": "off"}
    h100 = Topology("h100:4", "h100", "1x4")
    notes = Planner(config_of(folder, **options), h100).notes
    assert any("cuDNN" in note for note in notes)
    assert not any("cuDNN" in note for note in Planner(config_of(folder), h100).notes)
    assert not any("cuDNN" in note for note in Planner(config_of(folder, **options), V5E).notes)


@pytest.mark.parametrize("memory", [1e9, 1e3], ids=["fits", "does not fit"])
def test_the_program(memory, folder, here, monkeypatch, tmp_path, capsys):
    """From flags to lines, a file and an exit status."""
    monkeypatch.setattr(topologies, "described_devices", lambda _: jax.devices()[:4])
    chip = topologies.CHIPS["v5e"]._replace(memory=memory)
    monkeypatch.setitem(topologies.CHIPS, "v5e", chip)
    monkeypatch.setattr(plan.Planner, "compile", lambda *_: made_up(8, limit=memory, state=900))
    config = config_of(folder)
    flags = ["--lang", "python", "--data", config.data, "--encoder", config.encoder]
    flags += ["--topology", "v5e-4", "--no-advice", "--batch-size", "8"]
    flags += ["--json", f"{tmp_path / 'plan.json'}"]
    if memory == 1e9:
        cli.main(["plan", *flags])
    else:
        with pytest.raises(SystemExit) as exit:
            cli.main(["plan", *flags])
        assert exit.value.code == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: --topology v5e-4: a step of 8 pairs needs 0.01 GiB")
    read = json.loads((tmp_path / "plan.json").read_text())
    assert (read["batch_size"], read["choices"], read["fits"]) == (8, [], memory == 1e9)
