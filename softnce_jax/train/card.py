"""The model card, README.md of an exported model: what it learned from, its numbers, its use.

Its head is what the Hub reads; the text is for people. It names neither paths nor dates, so the
same run has the same card anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.static_encoder import StaticEncoder
from softnce_jax.files import printable_line, to_path
from softnce_jax.pretrained.presets import PRESETS, preset
from softnce_jax.retrieval.results import COLUMNS, results_table
from softnce_jax.train.config import LOSS_SETTINGS, Config, run_name
from softnce_jax.train.setup import TrainingData

__all__ = ["model_card"]

# What a reader would set to train it again, beside the settings of the loss.
OF_NETWORKS = (
    "query_length",
    "code_length",
    "dataflow",
    "flow_length",
    "attention_dropout",
    "precision",
)
SETTINGS = (
    "epochs",
    "batch_size",
    "learning_rate",
    "weight_decay",
    "warmup_epochs",
    "clip_norm",
    "duplicates",
    "symmetric",
    "similarity",
    "scale",
    "seed",
    "fold",
)


def model_card(
    config: Config,
    data: TrainingData,
    encoder: Encoder | StaticEncoder,
    results: Mapping[str, Any],
) -> str:
    """The card of a fine-tuned model.

    Args:
      config: settled.
      data: that it was trained and evaluated on.
      encoder: that was exported.
      results: of the run, as results.json has them.

    Returns:
      Markdown with a head in YAML.
    """
    base = _base_model(config)
    name = printable_line(run_name(config))
    origin = f"from {base}, whose publisher states its licence, and " if base else ""
    sections = [
        _head(name, data, base, encoder, results),
        f"# {name}",
        f"A dual encoder of questions and code, trained with softnce_jax from "
        f"{base or _from(config)}: the vector of a question is near that of the function that "
        "answers it.",
        "## Use",
        _use(encoder),
        "## Training",
        "\n".join(f"- {line}" for line in _training(config, data, encoder, results)),
        "## Evaluation",
        _evaluation(results),
        "## Licence",
        "Nobody has chosen one yet: put yours in the place of `license: other` above. The weights "
        f"come {origin}from the data named here, which have licences of their own.",
    ]
    return "\n\n".join(sections) + "\n"


def _base_model(config: Config) -> str | None:
    """The Hub id that training began with; None from scratch and for a folder, which has none."""
    checkpoint = preset(config.encoder).checkpoint
    if config.encoder in PRESETS:
        return checkpoint
    is_folder = to_path(config.encoder).exists()
    return None if is_folder or config.encoder.count("/") != 1 else config.encoder


def _from(config: Config) -> str:
    """What training began with, where that is no model of the Hub."""
    from_scratch = preset(config.encoder).checkpoint is None
    return "scratch" if from_scratch else f"`{_name(config.encoder)}`"


def _name(path: str) -> str:
    """The last part of a path, or a Hub id, printable within backticks."""
    return printable_line(to_path(path).name).replace("`", "'")


def _head(
    name: str,
    data: TrainingData,
    base: str | None,
    encoder: Encoder | StaticEncoder,
    results: Mapping[str, Any],
) -> str:
    """The YAML between dashes. Its values are JSON, which YAML can read whatever is in them."""
    languages = [corpus.language for corpus in data.corpora]
    library = "model2vec" if encoder.in_bags else "sentence-transformers"
    fields = {
        "library_name": library,
        "pipeline_tag": "sentence-similarity",
        "license": "other",
        "license_name": "to-be-filled-in",
        **({"base_model": base} if base else {}),
        "tags": [library, "softnce_jax", "code-search", "code", *languages],
        "model-index": [{"name": name, "results": [*_measured(data, results)]}],
    }
    lines = [f"{name}: {json.dumps(value)}" for name, value in fields.items()]
    return "\n".join(["---", *lines, "---"])


def _measured(data: TrainingData, results: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The trained model's metrics on each language, in the form of the Hub's model-index."""
    for corpus in data.corpora:
        trained = results["metrics"][corpus.language]["trained"]
        yield {
            "task": {"type": "text-retrieval", "name": "Code search"},
            "dataset": {
                "type": _name(corpus.name),
                "name": f"{_name(corpus.name)}, {corpus.language}",
                "split": "test",
            },
            "metrics": [
                {"type": name, "name": title, "value": round(trained[name]["value"], 4)}
                for name, title in COLUMNS.items()
                if name in trained
            ],
        }


_TEXTS = r"""queries = ["read a file line by line"]
codes = ["def lines(path)\n  File.readlines(path)\nend", "def sum(xs)\n  xs.sum\nend"]
"""
_IN_SOFTNCE_JAX = f"""from softnce_jax import load_encoder, rank

model = load_encoder(".")  # this folder, or the model's id on the Hub
{_TEXTS}q, c = model.encode_query(queries), model.encode_document(codes)
model.similarity(q, c)  # (1, 2)
rank(q, c)  # of each query's function, here the one with its index
"""
_IN_SENTENCE_TRANSFORMERS = f"""from sentence_transformers import SentenceTransformer

model = SentenceTransformer(".")
{_TEXTS}q, c = model.encode_query(queries), model.encode_document(codes)
model.similarity(q, c)
"""


_IN_MODEL2VEC = f"""from model2vec import StaticModel

model = StaticModel.from_pretrained(".")
{_TEXTS}q, c = model.encode(queries), model.encode(codes)
q @ c.T
"""


def _use(encoder: Encoder | StaticEncoder) -> str:
    """How three libraries load it."""
    third = "model2vec" if encoder.in_bags else "transformers"
    program = _IN_MODEL2VEC if encoder.in_bags else _in_transformers(encoder)
    missing = []
    if encoder.dataflow != "none":
        missing.append("Only softnce_jax reads the data flow of code; the others read its text.")
    if any(encoder.tokenizer.prompts.texts.values()):
        missing.append(f"{third} knows nothing of the prompts before queries and code.")
    return "\n\n".join(
        [
            "With softnce_jax:",
            _block(_IN_SOFTNCE_JAX),
            "With sentence-transformers:",
            _block(_IN_SENTENCE_TRANSFORMERS),
            f"With {third}:",
            _block(program),
            " ".join(missing) or "All three give the same vectors.",
        ]
    )


def _in_transformers(encoder: Encoder) -> str:
    """A program that pools as the encoder does."""
    unit = "vectors = torch.nn.functional.normalize(vectors)"
    lines = {
        "mean": [
            'weight = rows["attention_mask"][:, :, None]',
            "vectors = (output.last_hidden_state * weight).sum(1) / weight.sum(1)",
        ],
        "cls": ["vectors = output.last_hidden_state[:, 0]"],
        "pooler": ["vectors = output.pooler_output"],
    }[encoder.pooling]
    if encoder.truncate_dim is not None:
        lines += [unit] * encoder.truncates_unit
        lines += [f"vectors = vectors[:, :{encoder.truncate_dim}]"]
    lines += [unit] * encoder.normalize
    pooled = "\n".join(lines)
    longest = max(encoder.query_length, encoder.code_length)
    return f"""import torch
from transformers import AutoModel, AutoTokenizer

tokenizer, network = AutoTokenizer.from_pretrained("."), AutoModel.from_pretrained(".").eval()
{_TEXTS}options = {{"padding": True, "truncation": True, "max_length": {longest}}}
rows = tokenizer(queries + codes, return_tensors="pt", **options)
with torch.no_grad():
    output = network(**rows)
{pooled}
"""


def _block(program: str) -> str:
    return f"```python\n{program}```"


def _training(
    config: Config,
    data: TrainingData,
    encoder: Encoder | StaticEncoder,
    results: Mapping[str, Any],
) -> Iterator[str]:
    """Data, loss, estimator and settings, line by line."""
    for corpus in data.corpora:
        yield (
            f"data: `{_name(corpus.name)}`, {corpus.language}, {len(corpus.train)} training pairs, "
            f"SHA-256 of all rows `{corpus.hash()}`"
        )
    if data.negatives is not None:
        yield (
            f"hard negatives: {config.negatives_per_query} for each query, SHA-256 "
            f"`{data.negatives.hash}`"
        )
    identity = results["config"]
    yield f"began with: {_base_model(config) or _from(config)}" + (
        f", SHA-256 `{identity['encoder_hash']}`" if identity["encoder_hash"] else ""
    )
    yield f"loss: `{config.loss}`"
    yield f"estimator of the negatives' similarity: `{config.estimator}`" + "".join(
        f", {name} SHA-256 `{digest}`" for name, digest in identity["estimator_hash"].items()
    )
    names = (*LOSS_SETTINGS, *SETTINGS, *["bm25_statistics"] * ("bm25" in config.estimator))
    names += () if encoder.in_bags else OF_NETWORKS
    settings = {name: getattr(config, name) for name in names}
    shown = [f"`{name}` {value}" for name, value in settings.items() if value is not None]
    yield f"settings: {', '.join(shown)}"
    if "scale" in results:
        yield f"the scale as it was learned: {results['scale']:.4g}"
    if (best := results["best"]) is not None:
        yield (
            f"kept: the parameters of step {best['step']}, whose validation MRR was the best, "
            f"{best['mrr']:.3f}"
        )


def _evaluation(results: Mapping[str, Any]) -> str:
    """The table of every language, and what its numbers are."""
    parts = [
        "Each query of the test split is ranked against all candidates, in brackets 95 % bootstrap "
        "intervals over queries. `untrained` is the model before this training."
    ]
    for name, systems in results["metrics"].items():
        about = results["protocol"].get(name)
        size = f", {about['queries']} queries, {about['candidates']} candidates" if about else ""
        parts += [f"{name}{size}:", f"```\n{results_table(systems)}\n```"]
    return "\n\n".join(parts)
