"""Figures of finished runs: training curves, alpha and beta, an estimator's view of a batch."""

from __future__ import annotations

import dataclasses
import logging
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from softnce_jax import registry
from softnce_jax.data.corpus import Joined, Pair
from softnce_jax.encoders.processor import Processor
from softnce_jax.pretrained.load import load
from softnce_jax.sweep.scores import Run, Scores, System, read_runs
from softnce_jax.sweep.tables import figures, label
from softnce_jax.train.batches import batch_indices, batches
from softnce_jax.train.config import Config
from softnce_jax.train.features import make_features, precomputed_estimators
from softnce_jax.train.run_folder import read_metrics
from softnce_jax.train.setup import cache_folder, read_corpora
from softnce_jax.weights import negative_weights

log = logging.getLogger(__name__)

# Okabe and Ito's colours, which differ for every kind of colour blindness, and a dash for each.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
WIDTH = 8.0  # inches
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
    "svg.hashsalt": "softnce_jax",  # the same runs draw the same file
}


def draw(runs: str | Path, out: str | Path) -> None:
    """Draws every figure that the runs in a folder have something for.

    Args:
      runs: the folder of a sweep.
      out: where the pictures go.

    Raises:
      InputError: no finished runs.
      ModuleNotFoundError: matplotlib is not installed.
    """
    import matplotlib

    matplotlib.use("agg")  # without a window
    from matplotlib import pyplot

    scores = Scores(read_runs(runs), "mrr")
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    makers = {"training": training, "alpha_beta": alpha_beta, "estimators": estimators}
    with pyplot.rc_context(STYLE):
        for name, make in makers.items():
            figure = make(pyplot, scores)
            if figure is None:
                log.info(f"no figure {name}: no runs for it")
                continue
            for ending, about in (("png", {}), ("svg", {"metadata": {"Date": None}})):
                figure.savefig(out / f"{name}.{ending}", bbox_inches="tight", **about)
                log.info(str(out / f"{name}.{ending}"))
            pyplot.close(figure)


def training(pyplot: Any, scores: Scores) -> Any:
    """Loss and validation MRR by step: the mean of a system's runs, and their range as a band."""
    figure, axes = pyplot.subplots(1, 2, figsize=(WIDTH, 3.2), layout="constrained")
    for axis, name, title in zip(
        axes, ("loss", "valid_mrr"), ("training loss (nats)", "validation MRR"), strict=True
    ):
        for system, style in styled(scores):
            steps, value_RS = curves(scores, system, name)
            if not len(steps):
                continue
            shown = {"marker": "o", "markersize": 3} if name == "valid_mrr" else {}
            called = name_of(scores, system)
            axis.plot(steps, value_RS.mean(axis=0), label=called, **style, **shown)
            if len(value_RS) > 1:
                low, high = value_RS.min(axis=0), value_RS.max(axis=0)
                axis.fill_between(steps, low, high, color=style["color"], alpha=0.15, linewidth=0)
        axis.set(xlabel="step (batches)", ylabel=title)
    no_closer_than(axes[1], 0.05)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def no_closer_than(axis: Any, height: float) -> None:
    """Widens a vertical axis, so that differences far below any noise do not look like some."""
    low, high = axis.get_ylim()
    missing = max(0.0, height - (high - low)) / 2
    axis.set_ylim(low - missing, high + missing)


def curves(scores: Scores, system: System, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps (S,) that all runs of a system logged a value at, and the values (R, S)."""
    runs = [
        {line["step"]: line[name] for line in read_metrics(run.folder) if name in line}
        for run in scores.runs[system]
    ]
    steps = sorted(set.intersection(*(set(run) for run in runs)))
    return np.array(steps), np.array([[run[step] for step in steps] for run in runs])


def alpha_beta(pyplot: Any, scores: Scores) -> Any:
    """MRR by alpha, and the weights that each alpha and beta give (the paper's Figure 3)."""
    chosen = soft_settings(scores)
    if max((len(settings) for settings in chosen.values()), default=0) < 2:
        return None
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(WIDTH, 3.4), layout="constrained")
    for number, (names, settings) in enumerate(chosen.items()):
        alphas, means, spreads = zip(*(mrr_at(scores, *item) for item in settings.items()),
                                     strict=True)  # fmt: skip
        style = {"color": COLOURS[number % 7], "linestyle": DASHES[number % 7], "marker": "o"}
        title = f"{names[0]}, {registry.estimator(names[1]).title}"
        left.errorbar(alphas, means, spreads, label=title, capsize=3, **style)
        base = scores.baseline(next(iter(settings.values())))
        if base is not None:
            _, level, _ = mrr_at(scores, (0.0, 0.0), base)
            left.axhline(level, color=style["color"], linewidth=1, alpha=0.6)
            left.annotate("InfoNCE", (alphas[-1], level), ha="right", va="bottom")
    pairs = [pair for settings in chosen.values() for pair in settings]
    rule = all(abs(alpha + beta - 2) < 1e-9 for alpha, beta in pairs)
    left.set(xlabel="alpha (beta = 2 − alpha)" if rule else "alpha",
             ylabel="test MRR, mean ± sd over seeds")  # fmt: skip
    left.legend(loc="best")
    no_closer_than(left, 0.05)
    most = max(chosen.values(), key=len)
    for number, ((alpha, beta), system) in enumerate(sorted(most.items())):
        p, w = weight_curve(alpha, beta, scores.runs[system][0].config)
        style = {"color": COLOURS[number % 7], "linestyle": DASHES[number % 7]}
        right.plot(p, w, label=f"alpha {alpha:g}, beta {beta:g}", **style)
    right.set(xlabel="share p of the row's similarity", ylabel="weight w of the negative")
    right.legend(loc="best")
    return figure


def soft_settings(scores: Scores) -> dict[tuple[str, str], dict[tuple[float, float], System]]:
    """(encoder, estimator) → (alpha, beta) → the Soft-InfoNCE trained with them."""
    found: dict = defaultdict(dict)
    for system, runs in scores.runs.items():
        if system.loss == "soft_infonce":
            pair = runs[0].config["alpha"], runs[0].config["beta"]
            found[system.encoder, system.estimator][pair] = system
    return {names: dict(sorted(settings.items())) for names, settings in found.items()}


def mrr_at(
    scores: Scores, setting: tuple[float, float], system: System
) -> tuple[float, float, float]:
    """Alpha, and mean and spread over seeds of the MRR, the mean over languages."""
    by_seed = list(figures(scores, TableCell(system, "mean")).values())
    return setting[0], float(np.mean(by_seed)), float(np.std(by_seed, ddof=len(by_seed) > 1))


def weight_curve(alpha: float, beta: float, config: dict) -> tuple[np.ndarray, np.ndarray]:
    """Shares p and weights by Eq. 4 of the negatives of a full batch, floor included."""
    m = config["batch_size"] - 1
    p = np.linspace(0, 1, 201)
    return p, np.maximum(config["floor"], (beta - alpha * p) / (beta - alpha / m))


def estimators(pyplot: Any, scores: Scores) -> Any:
    """Similarities and weights of a batch, one row of pictures an estimator (paper: Figure 2)."""
    views = {
        system.estimator: batch_view(runs[0])
        for system, runs in reversed(scores.runs.items())
        if system.loss == "soft_infonce"
    }
    if not views:
        return None
    views = dict(reversed(views.items()))
    figure, axes = pyplot.subplots(
        len(views), 2, figsize=(WIDTH, 2.7 * len(views)), layout="constrained", squeeze=False
    )
    for row, (name, view) in zip(axes, views.items(), strict=True):
        title = registry.estimator(name).title
        matrix(figure, row[0], view.similarity, f"{title}: similarity", view, names=True)
        matrix(figure, row[1], view.weight, f"{title}: weight", view, names=False, lowest=0.0)
    return figure


def matrix(
    figure: Any,
    axis: Any,
    value_SS: np.ndarray,
    title: str,
    view: BatchView,
    *,
    names: bool,
    lowest: float | None = None,
) -> None:
    """One picture: rows are queries, columns the same pairs as negatives; own pairs left white."""
    own = np.eye(len(value_SS), dtype=bool)
    masked = np.ma.masked_array(value_SS, own)
    image = axis.imshow(masked, cmap="cividis", interpolation="nearest", vmin=lowest)
    figure.colorbar(image, ax=axis, shrink=0.75)
    ticks = range(len(value_SS))
    axis.set(title=title, xticks=ticks, yticks=ticks, xlabel="negative: pair of the batch")
    numbers = [str(i + 1) for i in ticks]
    texts = [f"{text} {n}" for text, n in zip(view.queries, numbers, strict=True)]
    axis.set_xticklabels(numbers, fontsize=7)
    axis.set_yticklabels(texts if names else numbers, fontsize=8)
    axis.grid(False)


def styled(scores: Scores) -> Iterator[tuple[System, dict]]:
    """The systems, each with its colour and dash."""
    for number, system in enumerate(scores.runs):
        yield system, {"color": COLOURS[number % 7], "linestyle": DASHES[number % 7]}


def name_of(scores: Scores, system: System) -> str:
    """A system's name, with its encoder."""
    return f"{system.encoder}, {label(scores, system)}"


SHOWN = 14  # pairs of the batch, so that their queries can be read


class BatchView(NamedTuple):
    """Some pairs of a batch.

    Attributes:
      queries: S texts, shortened.
      similarity: (S, S), of each query and each pair.
      weight: (S, S), as made in the whole batch.
    """

    queries: list[str]
    similarity: np.ndarray
    weight: np.ndarray


def batch_view(run: Run) -> BatchView:
    """The first batch of a run: of its pairs those whose families are met most often, together."""
    encoder, _ = load(run.folder / "model")
    config = config_of(run)
    corpora, _ = read_corpora(config)
    train = Joined([corpus.train for corpus in corpora])
    processor, folder = Processor.of(encoder), cache_folder(config.data, "features")
    precomputed = precomputed_estimators(config)
    features = make_features(config, train, processor, precomputed, folder)
    indices = batch_indices(len(train), config.batch_size, config.seed)
    batch = batches(indices, train, processor, features)[0]
    similarity_BN = batch.query_features @ batch.code_features.T
    settings = {name: run.config[name] for name in registry.WEIGHTS}
    w_BN = np.asarray(negative_weights(jnp.asarray(similarity_BN), **settings))
    pairs = [train[i] for i in np.asarray(indices[0])]
    chosen = together(pairs)[:SHOWN]
    texts = [textwrap.shorten(pairs[i].query, 38, placeholder=" …") for i in chosen]
    grid = np.ix_(chosen, chosen)
    return BatchView(texts, similarity_BN[grid], w_BN[grid])


def config_of(run: Run) -> Config:
    """The configuration of a finished run, which is settled already."""
    names = {field.name for field in dataclasses.fields(Config)} & run.config.keys()
    return Config(**{name: run.config[name] for name in names})


def together(pairs: list[Pair]) -> list[int]:
    """The pairs' places, families side by side, the largest families first.

    Example:
      >>> pairs = [Pair(f"q{f}", "c", "u", "go", f) for f in "abcb"]
      >>> together(pairs)
      [1, 3, 0, 2]
    """
    names = [pair.family or pair.query for pair in pairs]
    count = Counter(names)
    return sorted(range(len(pairs)), key=lambda i: (-count[names[i]], names[i], i))
