"""Figures of finished runs: training curves, alpha and beta, an estimator's view of a batch."""

from __future__ import annotations

import dataclasses
import logging
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from softnce_jax import registry
from softnce_jax.data.corpus import Joined, Pair
from softnce_jax.encoders.processor import Processor
from softnce_jax.errors import InputError, first_line
from softnce_jax.estimators.spec import parse
from softnce_jax.files import printable_line, to_path, whole_file
from softnce_jax.pretrained.load import load
from softnce_jax.sweep.scores import Run, Scores, System, read_runs
from softnce_jax.sweep.tables import TableCell, label, means_by_seed
from softnce_jax.train.batches import batch_indices, batches
from softnce_jax.train.config import Config
from softnce_jax.train.features import make_features, precomputed_estimators
from softnce_jax.train.run_folder import read_metrics
from softnce_jax.train.setup import cache_folder, read_corpora
from softnce_jax.weights import negative_weights

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw"]

log = logging.getLogger(__name__)

# Okabe and Ito's colours, which differ for every kind of colour blindness, and a dash for each.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
WIDTH = 8.0  # inches
MIN_MRR_RANGE = 0.05  # of an axis: differences far below any noise must not look like some
SHOWN_PAIRS = 14  # of a batch, so that their queries can be read
STYLE = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.formatter.useoffset": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E5E5E5",
    "axes.axisbelow": True,
    "savefig.dpi": 150,
    "text.parse_math": False,  # a name with two $ is no formula
    "svg.hashsalt": "softnce_jax",  # the same runs give the same file
}


def draw(runs: str | Path, out: str | Path) -> None:
    """Draws each figure that there are runs for, as PNG and SVG.

    Args:
      runs: the folder of a sweep.
      out: the folder of the pictures.

    Raises:
      InputError: no finished runs.
      ModuleNotFoundError: matplotlib is not installed.
    """
    import matplotlib

    matplotlib.use("agg")  # without a window
    from matplotlib import pyplot

    scores = Scores(read_runs(runs), "mrr")
    makers = {"training": _training, "alpha_beta": _alpha_beta, "estimators": _estimators}
    with pyplot.rc_context(STYLE):
        for name, make in makers.items():
            figure = make(pyplot, scores)
            if figure is None:
                log.info(f"no figure {name}: no runs for it")
                continue
            # Without a date, the same runs give the same file.
            for ending, options in (("png", {}), ("svg", {"metadata": {"Date": None}})):
                path = to_path(out) / f"{name}.{ending}"
                with whole_file(path) as file:
                    figure.savefig(file, format=ending, bbox_inches="tight", **options)
                log.info(str(path))
            pyplot.close(figure)


def _training(pyplot: Any, scores: Scores) -> Figure:
    """Loss and validation MRR by step: the mean of a system's runs, and their range as a band."""
    figure, axes = pyplot.subplots(1, 2, figsize=(WIDTH, 3.2), layout="constrained")
    for axis, name, title in zip(
        axes, ("loss", "valid_mrr"), ("training loss (nats)", "validation MRR"), strict=True
    ):
        for system, style in _styled(scores):
            steps, value_RS = _curves(scores, system, name)
            if not len(steps):
                continue
            marker = {"marker": "o", "markersize": 3} if name == "valid_mrr" else {}
            text = printable_line(f"{system.encoder}, {label(scores, system)}")
            axis.plot(steps, value_RS.mean(axis=0), label=text, **style, **marker)
            if len(value_RS) > 1:
                low, high = value_RS.min(axis=0), value_RS.max(axis=0)
                axis.fill_between(steps, low, high, color=style["color"], alpha=0.15, linewidth=0)
        axis.set(xlabel="step (batches)", ylabel=title)
    _widen(axes[1], MIN_MRR_RANGE)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _curves(scores: Scores, system: System, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps (S,) at which all runs of a system logged a value, and the values (R, S)."""
    runs = [
        {x["step"]: x[name] for x in read_metrics(run.folder) if x.get(name) is not None}
        for run in scores.runs[system]
    ]
    steps = sorted(set.intersection(*(set(run) for run in runs)))
    return np.array(steps), np.array([[run[step] for step in steps] for run in runs])


def _alpha_beta(pyplot: Any, scores: Scores) -> Figure | None:
    """MRR by alpha, and the weights that each alpha and beta give (the paper's Figure 3)."""
    by_estimator = _soft_settings(scores)
    if max((len(settings) for settings in by_estimator.values()), default=0) < 2:
        return None
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(WIDTH, 3.4), layout="constrained")
    for number, (names, settings) in enumerate(by_estimator.items()):
        _plot_mrr(left, scores, names, settings, _style(number) | {"marker": "o"})
    pairs = [pair for settings in by_estimator.values() for pair in settings]
    sum_is_two = all(abs(alpha + beta - 2) < 1e-9 for alpha, beta in pairs)
    left.set(
        xlabel="alpha (beta = 2 − alpha)" if sum_is_two else "alpha",
        ylabel="test MRR, mean ± sd over seeds",
    )
    left.legend(loc="best")
    _widen(left, MIN_MRR_RANGE)
    most = max(by_estimator.values(), key=len)
    for number, ((alpha, beta), system) in enumerate(most.items()):
        p, w = _weight_curve(alpha, beta, scores.runs[system][0].config)
        right.plot(p, w, label=f"alpha {alpha:g}, beta {beta:g}", **_style(number))
    right.set(xlabel="share p of the row's similarity", ylabel="weight w of the negative")
    right.legend(loc="best")
    return figure


def _soft_settings(scores: Scores) -> dict[tuple[str, str], dict[tuple[float, float], System]]:
    """(encoder, estimator) → (alpha, beta), sorted → the Soft-InfoNCE trained with them."""
    by_estimator: dict = defaultdict(dict)
    for system, runs in scores.runs.items():
        if system.loss == "soft_infonce":
            pair = runs[0].config["alpha"], runs[0].config["beta"]
            by_estimator[system.encoder, system.estimator][pair] = system
    return {names: dict(sorted(settings.items())) for names, settings in by_estimator.items()}


def _plot_mrr(
    axis: Axes,
    scores: Scores,
    names: tuple[str, str],
    settings: dict[tuple[float, float], System],
    style: dict,
) -> None:
    """The MRR of one encoder and estimator by alpha, and a line at InfoNCE's."""
    alphas = [alpha for alpha, _ in settings]
    means, spreads = zip(*(_mrr(scores, system) for system in settings.values()), strict=True)
    title = printable_line(f"{names[0]}, {registry.estimator(names[1]).title}")
    axis.errorbar(alphas, means, spreads, label=title, capsize=3, **style)
    base = scores.baseline(next(iter(settings.values())))
    if base is not None:
        mean, _ = _mrr(scores, base)
        axis.axhline(mean, color=style["color"], linewidth=1, alpha=0.6)
        axis.annotate("InfoNCE", (alphas[-1], mean), ha="right", va="bottom")


def _mrr(scores: Scores, system: System) -> tuple[float, float]:
    """Mean and spread over seeds of a system's MRR, the mean over languages."""
    by_seed = list(means_by_seed(scores, TableCell(system, "mean")).values())
    return float(np.mean(by_seed)), float(np.std(by_seed, ddof=len(by_seed) > 1))


def _weight_curve(alpha: float, beta: float, config: dict) -> tuple[np.ndarray, np.ndarray]:
    """Shares p, and weights by Eq. 4 of the negatives of a full batch, floor included."""
    m = config["batch_size"] - 1
    p = np.linspace(0, 1, 201)
    return p, np.maximum(config["floor"], (beta - alpha * p) / (beta - alpha / m))


def _estimators(pyplot: Any, scores: Scores) -> Figure | None:
    """Similarities and weights of a batch, a row of pictures per estimator (paper: Figure 2)."""
    first_runs: dict[str, Run] = {}
    for system, runs in scores.runs.items():
        if system.loss == "soft_infonce" and _is_ours(system.estimator):
            first_runs.setdefault(system.estimator, runs[0])
    if not first_runs:
        return None
    height = 2.7 * len(first_runs)
    figure, axes = pyplot.subplots(
        len(first_runs), 2, figsize=(WIDTH, height), layout="constrained", squeeze=False
    )
    for (left, right), (name, run) in zip(axes, first_runs.items(), strict=True):
        view, title = batch_view(run), registry.estimator(name).title
        _draw_matrix(left, view.similarity, f"{title}: similarity", view.queries)
        _draw_matrix(right, view.weight, f"{title}: weight", lowest=0.0)
    return figure


def _is_ours(estimator: str) -> bool:
    """Whether its similarities can be made again without code that a results.json names."""
    names = [term.name for term in parse(estimator)]
    if users := [name for name in names if name not in registry.ESTIMATORS]:
        log.info(f"{users[0]} is not imported: no picture of what it sees")
    return not users


def _draw_matrix(
    axis: Axes,
    value_SS: np.ndarray,
    title: str,
    queries: list[str] | None = None,
    *,
    lowest: float | None = None,
) -> None:
    """Rows are queries, named where given, columns the same pairs as negatives; positives white."""
    is_positive_SS = np.eye(len(value_SS), dtype=bool)
    masked = np.ma.masked_array(value_SS, is_positive_SS)
    image = axis.imshow(masked, cmap="cividis", interpolation="nearest", vmin=lowest)
    axis.figure.colorbar(image, ax=axis, shrink=0.75)
    ticks = range(len(value_SS))
    axis.set(title=title, xticks=ticks, yticks=ticks, xlabel="negative: pair of the batch")
    numbers = [str(i + 1) for i in ticks]
    names = numbers
    if queries is not None:
        names = [f"{text} {number}" for text, number in zip(queries, numbers, strict=True)]
    axis.set_xticklabels(numbers, fontsize=7)
    axis.set_yticklabels(names, fontsize=8)
    axis.grid(False)


class BatchView(NamedTuple):
    """Some pairs of a batch.

    Attributes:
      queries: S texts, shortened.
      similarity: (S, S), of each query and each pair.
      weight: (S, S), as computed in the whole batch.
    """

    queries: list[str]
    similarity: np.ndarray
    weight: np.ndarray


def batch_view(run: Run) -> BatchView:
    """The pairs of a run's first batch whose families occur most often in it, family by family."""
    encoder, _ = load(run.folder / "model")
    config = _settled_config(run)
    corpora, _ = read_corpora(config)
    train = Joined([corpus.train for corpus in corpora])
    if config.batch_size > len(train):
        raise InputError(
            f"{run.folder}: config.batch_size is {config.batch_size:,}, but {config.data} has "
            f"{len(train):,} training pairs: these are not the run's data"
        )
    processor, folder = Processor.of(encoder), cache_folder(config.data, "features")
    precomputed = precomputed_estimators(config)
    features = make_features(config, train, processor, precomputed, folder)
    indices = batch_indices(len(train), config.batch_size, config.seed)
    batch = batches(indices, train, processor, features)[0]
    similarity_BN = batch.query_features @ batch.code_features.T
    settings = {name: run.config[name] for name in registry.WEIGHTS}
    try:
        w_BN = np.asarray(negative_weights(jnp.asarray(similarity_BN), **settings))
    except ValueError as error:
        raise InputError(f"{run.folder}: {first_line(error)}") from None
    pairs = [train[i] for i in np.asarray(indices[0])]
    chosen = _by_family(pairs)[:SHOWN_PAIRS]
    texts = [textwrap.shorten(printable_line(pairs[i].query), 38, placeholder=" …") for i in chosen]
    grid = np.ix_(chosen, chosen)
    return BatchView(texts, similarity_BN[grid], w_BN[grid])


def _settled_config(run: Run) -> Config:
    """The configuration of a finished run, whose defaults are filled in.

    Nothing is fetched because a results.json says so.
    """
    names = {field.name for field in dataclasses.fields(Config)} & run.config.keys()
    settled = {name: run.config[name] for name in names} | {"download": False}
    return Config(**settled)


def _by_family(pairs: list[Pair]) -> list[int]:
    """The pairs' indices, families side by side, the largest families first.

    Example:
      >>> pairs = [Pair(f"q{f}", "c", "u", "go", f) for f in "abcb"]
      >>> _by_family(pairs)
      [1, 3, 0, 2]
    """
    names = [pair.family or pair.query for pair in pairs]
    count = Counter(names)
    return sorted(range(len(pairs)), key=lambda i: (-count[names[i]], names[i], i))


def _styled(scores: Scores) -> Iterator[tuple[System, dict]]:
    """The systems, each with a style of its own."""
    for number, system in enumerate(scores.runs):
        yield system, _style(number)


def _style(number: int) -> dict[str, Any]:
    """The colour and dash of curve number 0, 1, ..."""
    return {"color": COLOURS[number % 7], "linestyle": DASHES[number % 7]}


def _widen(axis: Axes, height: float) -> None:
    """Widens a vertical axis to at least this range, around its middle."""
    low, high = axis.get_ylim()
    missing = max(0.0, height - (high - low)) / 2
    axis.set_ylim(low - missing, high + missing)
