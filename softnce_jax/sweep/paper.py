"""The paper's numbers (MRR, its Tables 1 to 3) and the sizes of its data."""

from __future__ import annotations

from softnce_jax.data.code_search_net.published import COUNTS

__all__ = ["LANGUAGE_COLUMNS", "SIZES", "is_papers_data", "published_mrr"]

LANGUAGE_COLUMNS = ("ruby", "python", "java", "javascript", "php", "go")  # in the paper's order
COLUMNS = (*LANGUAGE_COLUMNS, "mean")
# language → training pairs, queries, candidates
SIZES = {
    language: (train, test, codebase) for language, (train, _, test, codebase) in COUNTS.items()
}
# (encoder, loss, estimator) → MRR of COLUMNS
MRR = {
    ("codebert", "infonce", "none"): (0.648, 0.636, 0.663, 0.594, 0.615, 0.878, 0.672),
    ("codebert", "soft_infonce", "bm25"): (0.660, 0.664, 0.682, 0.600, 0.621, 0.882, 0.685),
    ("codebert", "soft_infonce", "teacher"): (0.682, 0.675, 0.682, 0.615, 0.631, 0.898, 0.697),
    ("codebert", "soft_infonce", "sentence"): (0.666, 0.668, 0.670, 0.607, 0.623, 0.887, 0.687),
    ("graphcodebert", "infonce", "none"): (0.705, 0.690, 0.691, 0.647, 0.648, 0.896, 0.713),
    ("graphcodebert", "soft_infonce", "bm25"): (0.730, 0.697, 0.698, 0.652, 0.655, 0.892, 0.721),
    ("graphcodebert", "soft_infonce", "teacher"): (
        0.719, 0.692, 0.692, 0.653, 0.648, 0.889, 0.716,
    ),
    ("graphcodebert", "soft_infonce", "sentence"): (
        0.721, 0.700, 0.702, 0.656, 0.657, 0.894, 0.722,
    ),
    ("unixcoder", "infonce", "none"): (0.740, 0.720, 0.726, 0.684, 0.676, 0.915, 0.744),
    ("unixcoder", "soft_infonce", "bm25"): (0.753, 0.728, 0.733, 0.693, 0.684, 0.916, 0.751),
    ("unixcoder", "soft_infonce", "teacher"): (0.753, 0.728, 0.731, 0.694, 0.682, 0.915, 0.751),
    ("unixcoder", "soft_infonce", "sentence"): (0.753, 0.726, 0.731, 0.699, 0.684, 0.913, 0.751),
}  # fmt: skip
# (encoder, loss) → mean MRR over the languages; the paper does not name the estimator
MEAN_MRR = {
    ("codebert", "bce"): 0.641,
    ("graphcodebert", "bce"): 0.679,
    ("unixcoder", "bce"): 0.686,
    ("codebert", "weighted_infonce"): 0.639,
    ("graphcodebert", "weighted_infonce"): 0.674,
    ("unixcoder", "weighted_infonce"): 0.714,
    ("codebert", "kl_regularized"): 0.648,
    ("graphcodebert", "kl_regularized"): 0.688,
    ("unixcoder", "kl_regularized"): 0.716,
}
# (loss, k or ratio) → MRR of GraphCodeBERT on Python
CANCELLATION_MRR = {
    ("cancel_top_k", 1): 0.685,
    ("cancel_top_k", 3): 0.681,
    ("cancel_top_k", 5): 0.680,
    ("cancel_threshold", 0.7): 0.689,
    ("cancel_threshold", 0.5): 0.688,
    ("cancel_threshold", 0.3): 0.688,
}


def published_mrr(config: dict, column: str) -> float | None:
    """The paper's MRR of an encoder trained with this configuration, in a column, or None.

    Args:
      config: of a run.
      column: a language or "mean".

    Example:
      >>> published_mrr({"encoder": "unixcoder", "loss": "infonce", "estimator": "none"}, "mean")
      0.744
    """
    encoder, loss = config["encoder"], config["loss"]
    if row := MRR.get((encoder, loss, config["estimator"])):
        return row[COLUMNS.index(column)]
    if column == "mean":
        return MEAN_MRR.get((encoder, loss))
    if (encoder, column) == ("graphcodebert", "python"):
        setting = config.get("cancel_k" if loss == "cancel_top_k" else "cancel_ratio")
        return CANCELLATION_MRR.get((loss, setting))
    return None


def is_papers_data(language: str, protocol: dict) -> bool:
    """Whether a run's data have the sizes of the paper's, which shows that they are the same."""
    sizes = tuple(protocol.get(name) for name in ("train_pairs", "queries", "candidates"))
    return SIZES.get(language) == sizes
