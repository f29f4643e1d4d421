"""The step of a fine-tuning run, compiled for devices that are not here: will it fit, what moves.

Only shapes are compiled, those of batches of the run's own texts; nothing is computed with them.
"""

from __future__ import annotations

import dataclasses
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from softnce_jax.data.corpus import Pair, answer_keys
from softnce_jax.encoders.attention import fits_kernel, without_kernel
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.processor import Ids, Processor
from softnce_jax.encoders.static_encoder import StaticEncoder
from softnce_jax.errors import InputError, first_line
from softnce_jax.estimators.bm25 import bm25_columns, columns_for
from softnce_jax.estimators.spec import parse
from softnce_jax.files import to_path
from softnce_jax.mesh import by_rows, check_batch_size, make_mesh, replicated, without_x64
from softnce_jax.packing import Capacity
from softnce_jax.pretrained.presets import preset
from softnce_jax.train.batches import Batch, PackedTexts, pack_texts
from softnce_jax.train.compile_cache import no_cached_compilations
from softnce_jax.train.compiled import (
    Bound,
    Collective,
    Memory,
    count_products,
    lower_bound,
    needed_bytes,
    read_collectives,
)
from softnce_jax.train.config import Config, resolve
from softnce_jax.train.features import precomputed_estimators, reads_lone_words
from softnce_jax.train.objective import check_loss
from softnce_jax.train.setup import (
    build_encoder,
    make_processor,
    read_data,
    schedule_of,
    settle,
    slices_of,
    step_and_start,
)
from softnce_jax.train.topologies import Topology, described_devices

if TYPE_CHECKING:
    from softnce_jax.dataflow.example import Example

log = logging.getLogger(__name__)

SAMPLED = 8192  # pairs whose texts are read, or as many as a batch has
DRAWN = 1 << 16  # texts of the batches that are laid out to see their shapes
DRAWS = (2, 32)  # of them at least and at most
# What a run on lengths alone is taken to have: only the learning rate's schedule depends on it.
PAIRS = 10**6
LARGEST_COLUMNS = 1 << 14
LARGEST_BATCH = 1 << 20
STEPS_AN_OCTAVE = 8  # of the batch sizes that are tried
FORETOLD = 3  # programs of the search for the largest batch, before it halves


class Texts(NamedTuple):
    """Texts of a run, of which batches are drawn.

    Attributes:
      queries, codes: of each pair, as the encoder reads them.
      words: of each query, what BM25 reads; None where only lengths are known.
      pairs: that there are in all, so the largest batch; None for no bound.
      answers: P of a batch's keys.
    """

    queries: list[Ids]
    codes: list[Ids] | list[Example]
    words: list[Ids] | None
    pairs: int | None
    answers: int


class Program(NamedTuple):
    """One compiled step, for the largest of its batches, or what its compiler says it would need.

    Attributes:
      config: of it.
      shapes: different shapes of batches among those drawn, each a program.
      rows: of 0 where the encoder reads bags; on each device.
      length: of a row, or the tokens of a bag.
      seconds: that compiling took here.
      memory: on each device.
      fits: whether a device has as much.
      products: FLOPs on each device, by rate.
      collectives: of it; None, like the bound, where it was not compiled.
      bound: what a step takes at least.
    """

    config: Config
    shapes: int
    rows: int
    length: int
    seconds: float
    memory: Memory
    fits: bool
    products: dict[str, float]
    collectives: list[Collective] | None
    bound: Bound | None


class Choice(NamedTuple):
    """Another choice of flags, and its program."""

    flags: str
    about: str
    program: Program


class Planner:
    """Compiles the steps of a run and of its neighbours for described devices.

    Args:
      config: as given.
      topology: the devices.
      lengths: a file of token lengths, as of `read_lengths`, instead of the data.

    Raises:
      InputError: what `finetune` refuses, no compiler for the topology, or lengths for an encoder
        that must read texts.
    """

    def __init__(self, config: Config, topology: Topology, lengths: str | None = None):
        self.topology = topology
        self.mesh = make_mesh(described_devices(topology))
        if lengths is None:
            data = read_data(config)
            self.config, self.notes = settle(config, data)
            train = data.train
            self.notes = [*data.notes, *self.notes]
        else:
            self.config, train = _settle_lengths(config), []
            self.notes = [f"{lengths}: lengths of texts alone; BM25's columns are a guess"]
        check_batch_size(self.config.batch_size, self.mesh, self.config.micro_batch)
        self.encoder, params = build_encoder(self.config, train)
        check_loss(self.config, self.encoder.dimensions)
        self.params = jax.eval_shape(lambda: params)
        pairs = _sample(train, self.config)
        self.processor = make_processor(self.encoder, [pairs], self.config.data)
        self._widths = _widths(self.config, pairs)
        self.texts = (
            _read_texts(pairs, self.processor, len(train))
            if lengths is None
            else read_lengths(lengths, self.config)
        )
        if _kernel_is_left_out(self.encoder, self.processor.capacity, topology):
            self.notes.append(
                "on these GPUs attention may run in cuDNN's kernel, which is not planned: this is "
                "the form without it, which takes more memory"
            )

    @without_x64()
    def compile(self, config: Config) -> Program:
        """The program of a configuration that differs from the planner's in sizes alone.

        Raises:
          InputError: the compiler fails, but not for want of memory.
        """
        batches = self._batches(config)
        encoder = _with_checkpointing(self.encoder, config.gradient_checkpointing)
        pairs = self.texts.pairs or max(PAIRS, config.batch_size)
        step, start = step_and_start(config, encoder, schedule_of(config, pairs))
        state = self._placed(jax.eval_shape(start, self.params), replicated(self.mesh))
        sizes = _on_device(state.params), _on_device(state), _on_device(batches[0])
        began = time.perf_counter()
        with no_cached_compilations(), without_kernel():
            traced = step.func.trace(*step.args, state, batches[0])
            compiled = self._finish(traced, sizes[1] + sizes[2])
        seconds = time.perf_counter() - began
        flops = count_products(traced.jaxpr.jaxpr)
        rows = batches[0].texts.rows
        about = {
            "config": config,
            "shapes": len(batches),
            "rows": 0 if self.processor.in_bags else rows.ids.shape[1] * slices_of(config),
            "length": rows.ids.shape[-1],
            "seconds": seconds,
            "products": {rate: count / self.mesh.size for rate, count in flops.items()},
        }
        arguments = {
            "parameters": sizes[0],
            "optimizer": sizes[1] - sizes[0],
            "batch": sizes[2],
        }
        if isinstance(compiled, int):
            memory = Memory(**arguments, temporaries=None, peak=compiled)
            return Program(**about, memory=memory, fits=False, collectives=None, bound=None)
        return self._describe(about, arguments, compiled)

    def _finish(self, traced: Any, arguments: int) -> jax.stages.Compiled | int:
        """The compiled program, or the bytes that it would need."""
        try:
            return traced.lower().compile()
        except Exception as error:  # the compilers' own, of several classes
            if (needed := needed_bytes(f"{error}", arguments)) is not None:
                return needed
            raise InputError(
                f"--topology {self.topology.name}: the compiler fails: {first_line(error)}"
            ) from error

    def _describe(self, about: dict, arguments: dict, compiled: jax.stages.Compiled) -> Program:
        said = compiled.memory_analysis()
        moved = said.argument_size_in_bytes + said.output_size_in_bytes
        together = moved - said.alias_size_in_bytes + said.temp_size_in_bytes
        peak = said.peak_memory_in_bytes or together
        memory = Memory(**arguments, temporaries=said.temp_size_in_bytes, peak=peak)
        collectives = read_collectives(compiled.as_text(), self.mesh.size)
        chip = self.topology.chip
        bound = lower_bound(chip, products=about["products"], moved=moved, collectives=collectives)
        return Program(
            **about,
            memory=memory,
            fits=peak <= chip.memory,
            collectives=collectives,
            bound=bound,
        )

    def _batches(self, config: Config) -> list[Batch]:
        """A batch of each shape among those drawn, the one of the most bytes first."""
        random = np.random.default_rng(config.seed)
        size = config.batch_size
        candidates = size * (1 + (config.negatives_per_query or 0))
        draws = min(max(DRAWN // (size + candidates), DRAWS[0]), DRAWS[1])
        found = {}
        for _ in range(draws):
            batch = self._draw(config, random, size, candidates)
            found[tuple(x.shape for x in jax.tree.leaves(batch))] = batch
        ordered = sorted(found.values(), key=_bytes, reverse=True)
        return [self._placed(batch, by_rows(self.mesh)) for batch in ordered]

    def _draw(
        self, config: Config, random: np.random.Generator, size: int, candidates: int
    ) -> Batch:
        """A batch like those of the run: the texts' arrays, and of all else the shapes."""
        known = len(self.texts.queries)
        index_B = random.choice(known, size, replace=size > known)
        index_N = np.repeat(index_B, candidates // size)
        if candidates > size:  # behind each positive its hard negatives, here any functions
            index_N = index_N.reshape(size, -1)
            index_N[:, 1:] = random.integers(known, size=(size, index_N.shape[1] - 1))
            index_N = index_N.ravel()
        codes = [self.texts.codes[i] for i in index_N]
        packed: PackedTexts = pack_texts(
            [self.texts.queries[i] for i in index_B],
            codes,
            self.processor.sizes(codes),
            self.processor,
            groups=self.mesh.size * slices_of(config),
            one_text_per_row=config.layout == "padded",
        )
        columns = self._columns(config, index_B)
        keys = config.negatives is not None or config.duplicates != "keep"
        shape = jax.ShapeDtypeStruct
        return Batch(
            packed,
            shape((size, columns), np.float32) if columns else None,
            shape((candidates, columns), np.float32) if columns else None,
            shape((size,), np.int32) if keys else None,
            shape((candidates,), np.int32) if keys else None,
            shape((candidates, self.texts.answers), np.int32) if keys else None,
        )

    def _columns(self, config: Config, index_B: np.ndarray) -> int:
        """The columns of the features of a batch, over all estimators."""
        columns = 0
        for name, width in self._widths:
            if name != "bm25":
                columns += width
            elif self.texts.words is not None:
                words = [self.texts.words[i] for i in index_B]
                columns += bm25_columns(words, lone_words=reads_lone_words(config))
            else:  # real queries have about as many words that two of them share
                columns += columns_for(min(len(index_B), LARGEST_COLUMNS))
        return columns

    def _placed(self, tree: Any, sharding: jax.sharding.Sharding) -> Any:
        """Shapes on the described devices."""
        return jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), tree
        )


def advise(planner: Planner, program: Program) -> Iterator[Choice]:
    """What to change, where it does not fit or leaves room; compiled one after the other.

    Args:
      planner: that compiled it.
      program: of the flags as given.

    Returns:
      Choices: the largest batch that fits; slices of the batch and recomputed layers where the
      flags have neither.
    """
    config, chip = program.config, planner.topology.chip
    if (largest := largest_batch(planner, program)) is not None:
        size = largest.config.batch_size
        more = batch_sizes(planner.mesh.size * slices_of(config), planner.texts.pairs or 0)
        all_pairs = bool(more) and size >= more[-1]
        about = "there are no more pairs" if all_pairs else "the largest that fits, to an eighth"
        yield Choice(f"--batch-size {size}", about, largest)
    if planner.processor.in_bags:
        return
    if config.micro_batch is None:
        sliced = None
        for size in micro_batches(config.batch_size, planner.mesh.size):
            expected = program.memory.state + _per_row(program) * size
            if sliced is None and size > planner.mesh.size and expected > chip.memory:
                continue
            sliced = planner.compile(dataclasses.replace(config, micro_batch=size))
            yield Choice(f"--micro-batch {size}", "the same gradients, texts encoded twice", sliced)
            if sliced.fits:
                break
    if not config.gradient_checkpointing:
        recomputed = planner.compile(dataclasses.replace(config, gradient_checkpointing=True))
        yield Choice("--gradient-checkpointing", "each layer computed twice", recomputed)


def largest_batch(planner: Planner, program: Program) -> Program | None:
    """The program of the largest batch that fits, to an eighth of an octave.

    Memory grows with the batch almost in proportion, so the first sizes that are tried are those
    that the program before foretells, within what is known to fit and not to fit; the next ones
    halve what is between.

    Args:
      planner: that compiled the first one.
      program: of the flags as given; one with slices keeps their number.

    Returns:
      The Program; None where not even the smallest batch fits.
    """
    slices = slices_of(program.config)
    unit = planner.mesh.size * slices
    largest = min(planner.texts.pairs or LARGEST_BATCH, LARGEST_BATCH)
    sizes = batch_sizes(unit, largest)

    def compiled(size: int) -> Program:
        micro = None if slices == 1 else size // slices
        return planner.compile(
            dataclasses.replace(program.config, batch_size=size, micro_batch=micro)
        )

    return search(program, sizes, compiled, planner.topology.chip.memory)


def search(
    program: Program, sizes: Sequence[int], compiled: Callable[[int], Program], limit: float
) -> Program | None:
    """The program of the largest of sizes that fits; see `largest_batch`.

    Args:
      program: of one size, any.
      sizes: rising.
      compiled: the program of a size.
      limit: bytes of a device.
    """
    best = program if program.fits else None
    below = sum(size < program.config.batch_size for size in sizes)
    at_most = sum(size <= program.config.batch_size for size in sizes)
    fits, fails = (at_most - 1, len(sizes)) if program.fits else (-1, below)
    tried, programs = program, 0
    while fails - fits > 1:
        if programs < FORETOLD:
            foretold = (limit - tried.memory.state) / _per_row(tried)
            at = min(max(sum(size <= foretold for size in sizes) - 1, fits + 1), fails - 1)
        else:
            at = (fits + fails) // 2
        tried, programs = compiled(sizes[at]), programs + 1
        if tried.fits:
            fits, best = at, tried
        else:
            fails = at
    return best


def batch_sizes(unit: int, largest: int) -> list[int]:
    """The batch sizes that are tried: multiples of `unit`, eight an octave.

    Example:
      >>> batch_sizes(8, 200)
      [8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 128, 144, 160, 176, 192]
    """
    sizes, count = [], 1
    while count * unit <= largest:
        sizes.append(count * unit)
        count += max(1, (1 << count.bit_length() - 1) // STEPS_AN_OCTAVE)
    return sizes


def micro_batches(batch: int, devices: int) -> list[int]:
    """The halves, quarters, ... of a batch that the devices divide, the largest first.

    Example:
      >>> micro_batches(96, 8)
      [48, 24]
    """
    sizes, size = [], batch
    while size % 2 == 0 and size // 2 % devices == 0:
        size //= 2
        sizes.append(size)
    return sizes


def read_lengths(path: str, config: Config) -> Texts:
    """Made-up texts of the lengths in a file.

    Args:
      path: an .npz with the arrays LANG_q and LANG_c of each language: tokens of the queries and of
        the functions, in pairs.
      config: settled; its language, or all of them, is read, and its lengths cut texts.

    Raises:
      InputError: no such file, or not what it must hold.

    Example:
      >>> import tempfile
      >>> path = tempfile.mkdtemp() + "/lengths.npz"
      >>> np.savez(path, go_q=[3, 900], go_c=[5, 6])
      >>> from softnce_jax.train.config import Config
      >>> texts = read_lengths(path, Config(lang="go", query_length=32, code_length=64))
      >>> [len(ids) for ids in texts.queries]
      [3, 32]
    """
    try:
        with np.load(to_path(path), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except Exception as error:  # zipfile's, zlib's, numpy's and the system's
        raise InputError(f"{path}: no lengths can be read ({first_line(error)})") from error
    known = sorted({name[:-2] for name in arrays if name.endswith("_q")})
    languages = known if config.lang == "all" else [config.lang]
    parts = [_lengths_of(language, arrays, path, known) for language in languages]
    if not parts:
        raise InputError(
            f"{path}: no array LANG_q: lengths of queries are named ruby_q, of functions ruby_c"
        )
    query, code = (np.concatenate(side) for side in zip(*parts, strict=True))
    most = config.query_length, config.code_length
    made = [
        [np.arange(length, dtype=np.int32) for length in np.minimum(lengths, longest).tolist()]
        for lengths, longest in zip((query, code), most, strict=True)
    ]
    return Texts(*made, words=None, pairs=None, answers=1)


def _lengths_of(
    language: str, arrays: dict[str, np.ndarray], path: str, known: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """The lengths of one language's queries and functions."""
    pair = tuple(arrays.get(f"{language}_{side}") for side in "qc")
    if any(lengths is None for lengths in pair):
        raise InputError(
            f"{path}: no arrays {language}_q and {language}_c; it has {', '.join(known) or 'none'}"
        )
    for side, lengths in zip("qc", pair, strict=True):
        if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or not len(lengths):
            raise InputError(f"{path}: {language}_{side} is no list of whole numbers")
        if lengths.min() < 1 or lengths.max() > 1 << 20:
            raise InputError(
                f"{path}: {language}_{side} holds {lengths.min()} to {lengths.max()}: a text has "
                f"1 to {1 << 20} tokens"
            )
    if len(pair[0]) != len(pair[1]):
        raise InputError(
            f"{path}: {len(pair[0])} queries in {language}_q, {len(pair[1])} functions in "
            f"{language}_c"
        )
    return pair


def _settle_lengths(config: Config) -> Config:
    """The configuration where only lengths are known. Raises where it needs more."""
    for flag in ("negatives", "fold"):
        if (value := getattr(config, flag)) is not None:
            raise InputError(f"--{flag} {value} needs the data: --lengths knows lengths alone")
    settled, _ = resolve(config, on_sample=False, train_pairs=max(PAIRS, config.batch_size or 0))
    if preset(settled.encoder).checkpoint is None:
        raise InputError(
            f"--encoder {settled.encoder} is built from training texts: give --data, not --lengths"
        )
    if settled.dataflow != "none":
        raise InputError(
            f"--dataflow {settled.dataflow} needs the data: --lengths knows lengths alone"
        )
    return settled


def _sample(train: Sequence[Pair], config: Config) -> list[Pair]:
    """Training pairs at random, enough of them for a batch."""
    count = min(len(train), max(SAMPLED, config.batch_size))
    chosen = np.random.default_rng(config.seed).choice(max(1, len(train)), count, replace=False)
    return [train[i] for i in chosen.tolist()]


def _read_texts(pairs: list[Pair], processor: Processor, train_pairs: int) -> Texts:
    queries = [pair.query for pair in pairs]
    return Texts(
        processor.queries(queries),
        processor.codes(pairs),
        processor.words(queries),
        train_pairs,
        answer_keys(pairs).shape[1],
    )


def _widths(config: Config, pairs: Sequence[Pair]) -> list[tuple[str, int]]:
    """The estimators of a run, and of those that are precomputed the columns.

    Two pairs are embedded to see how many there are.
    """
    if config.estimator == "none":
        return []
    two = list(pairs[:2]) or [Pair("a", "b", "u", "python")]
    precomputed = precomputed_estimators(config)
    widths = []
    for term in parse(config.estimator):
        width = 0
        if term.name in precomputed:
            with tempfile.TemporaryDirectory(prefix="softnce-") as folder:
                blocks = precomputed[term.name].make(two, to_path(folder))
                width = next(iter(blocks["a"])).shape[1]
        widths.append((term.name, width))
    return widths


def _with_checkpointing(
    encoder: Encoder | StaticEncoder, gradient_checkpointing: bool
) -> Encoder | StaticEncoder:
    if isinstance(encoder, StaticEncoder):
        return encoder
    module = encoder.module.clone(gradient_checkpointing=gradient_checkpointing)
    return dataclasses.replace(encoder, module=module)


def _kernel_is_left_out(
    encoder: Encoder | StaticEncoder, capacity: Capacity, topology: Topology
) -> bool:
    """Whether GPUs may run a kernel for attention that is not compiled here."""
    if not topology.is_gpu or isinstance(encoder, StaticEncoder):
        return False
    config, module = encoder.config, encoder.module
    drops = module.attention_dropout != "off" and config.attention_probs_dropout_prob > 0
    size = config.hidden_size // config.num_attention_heads
    return not drops and fits_kernel(jax.numpy.dtype(module.dtype), capacity.length, size)


def _per_row(program: Program) -> float:
    """Bytes on each device for each pair of the batch, beside the state."""
    return max(1, program.memory.peak - program.memory.state) / program.config.batch_size


def _on_device(tree: Any) -> int:
    """Bytes of a tree of placed shapes on each device."""
    return sum(
        int(np.prod(x.sharding.shard_shape(x.shape))) * x.dtype.itemsize
        for x in jax.tree.leaves(tree)
    )


def _bytes(tree: Any) -> int:
    """Bytes of a tree of arrays or shapes."""
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(tree))
