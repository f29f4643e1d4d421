"""A sentence-transformers folder is read as it says, or refused; and an export says it again."""

from __future__ import annotations

import dataclasses
import json
import logging

import jax
import numpy as np
import pytest

from softnce_jax.data.corpus import Candidate
from softnce_jax.encoders.embed import Embedder
from softnce_jax.encoders.processor import Processor
from softnce_jax.encoders.tokenizer import Tokenizer
from softnce_jax.errors import InputError
from softnce_jax.mesh import make_mesh
from softnce_jax.pretrained import load as load_module
from softnce_jax.pretrained.convert import to_published
from softnce_jax.pretrained.export import export_model
from softnce_jax.pretrained.load import fingerprint, load
from tests.pretrained.folders import MEAN, ids_of, rewrite, sentence_files

pytestmark = pytest.mark.interop

PROMPTS = {"prompts": {"query": "sort: ", "document": "so "}, "default_prompt_name": "query"}
CLS = {"word_embedding_dimension": 16, "pooling_mode_cls_token": True}
NORMALIZED = ("Transformer", "Pooling", "Normalize")
QUERY, CODE = "Sort A LIST", "def Sort(x): return x"


@pytest.fixture
def roberta_folder(roberta_folder):
    """The RoBERTa of other tests without UniXcoder's prefix, which sentence-transformers lacks."""
    path = roberta_folder / "vocab.json"
    path.write_text(path.read_text().replace("<encoder-only>", "<none>"))
    return roberta_folder


def read(encoder, query=QUERY, code=CODE):
    """The ids of a query and of code."""
    processor = Processor.of(encoder)
    return processor.queries([query])[0], processor.codes([Candidate(code, "u", "python")])[0]


def vectors(encoder, params):
    """(2, D): of a query and of code."""
    return Embedder(encoder, make_mesh(jax.devices()[:1]))(params, read(encoder))


@pytest.mark.parametrize(
    "modes",
    [
        {"pooling_mode_cls_token": True},
        {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False},
        {"pooling_mode": "cls"},
        {"pooling_mode": ["cls"], "embedding_dimension": 16},
    ],
)
def test_the_files_tell_the_pooling(modes, distilbert_folder):
    sentence_files(distilbert_folder, modes, ("Transformer", "Pooling", "Normalize"))
    encoder, params = load(distilbert_folder)
    assert (encoder.pooling, encoder.normalize) == ("cls", True)
    lengths = np.linalg.norm(jax.jit(encoder.embed)(params, ids_of(encoder)), axis=1)
    np.testing.assert_allclose(lengths, 1.0, rtol=1e-6)
    assert load(distilbert_folder, pooling="mean")[0].pooling == "mean"


def test_no_flag_of_pooling_is_the_mean(bert_folder):
    sentence_files(bert_folder, {"pooling_mode_cls_token": False, "word_embedding_dimension": 16})
    assert load(bert_folder)[0].pooling == "mean"


CHAIN = ("Transformer", "Pooling", "Dense", "Dense", "Normalize")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"modes": {"pooling_mode_max_tokens": True}}, r"pools by \['max'\]; only mean or cls"),
        ({"modes": {"pooling_mode_mean_sqrt_len_tokens": True}}, r"\['mean_sqrt_len_tokens'\]"),
        ({"modes": {"pooling_mode_weightedmean_tokens": True}}, r"\['weightedmean'\]"),
        ({"modes": {"pooling_mode_lasttoken": True}}, r"pools by \['lasttoken'\]"),
        ({"modes": {"pooling_mode_mean_of_four": True}}, r"\['pooling_mode_mean_of_four'\]"),
        ({"modes": MEAN | {"pooling_mode_cls_token": True}}, r"\['mean', 'cls'\]"),
        ({"modes": {"include_prompt": 1}}, "include_prompt: expected bool, got int"),
        ({"kinds": ("Transformer", "CNN")}, "cannot compute the chain Transformer → CNN"),
        ({"kinds": CHAIN}, "Pooling → Dense → Dense → Normalize"),
        ({"model": {"similarity_fn_name": "euclidean"}}, "similarity_fn_name 'euclidean' cannot"),
        ({"model": {"truncate_dim": 0}}, "truncate_dim: expected int >= 1"),
        ({"model": {"model_type": "SparseEncoder"}}, "model_type 'SparseEncoder' is no"),
        ({"model": {"prompts": ["q: "]}}, "prompts: expected object"),
        ({"model": {"default_prompt_name": "q"}}, "default_prompt_name 'q' is not among prompts"),
        ({"reading": {"do_lower_case": "yes"}}, "do_lower_case: expected bool .*, got str"),
        ({"reading": {"max_seq_length": -1}}, "max_seq_length: expected int >= 1"),
        ({"reading": {"transformer_task": "fill-mask"}}, "transformer_task 'fill-mask' cannot"),
        ({"reading": {"processing_kwargs": {"text": {}}}}, "processing_kwargs .*'text': "),
        ({"reading": {"tokenizer_args": {"padding_side": "left"}}}, "tokenizer_args has padding_s"),
        (
            {"reading": {"modality_config": {"text": {"method_output_name": "pooler_output"}}}},
            "modality_config .*pooler_output.* cannot be computed",
        ),
        (
            {
                "modes": {"pooling_mode_cls_token": True, "include_prompt": False},
                "model": PROMPTS,
            },
            "include_prompt false goes with mean pooling, not cls",
        ),
    ],
)
def test_what_cannot_be_computed_is_refused_by_name(files, message, bert_folder):
    sentence_files(bert_folder, **files)
    with pytest.raises(InputError, match=message) as caught:
        load(bert_folder)
    assert "\n" not in str(caught.value)


def test_what_changes_no_vector_is_no_matter(bert_folder):
    about = {"__version__": {"pytorch": "2"}, "model_type": "SentenceTransformer", "prompts": None}
    sentence_files(
        bert_folder,
        MEAN | {"include_prompt": False},
        model=about | {"default_prompt_name": None, "similarity_fn_name": None},
        reading={
            "max_seq_length": None,
            "model_args": {"trust_remote_code": True, "add_pooling_layer": False},
            "transformer_task": "feature-extraction",
            "modality_config": {
                "text": {"method": "forward", "method_output_name": "last_hidden_state"}
            },
            "module_output_name": "token_embeddings",
            "unpad_inputs": True,
        },
    )
    encoder, _ = load(bert_folder)
    assert encoder.similarity == "dot" and encoder.truncate_dim is None


@pytest.mark.parametrize("name", ["sentence_bert_config.json", "sentence_roberta_config.json"])
def test_lower_case(name, roberta_folder, tmp_path):  # the second name is that of old versions
    with_case = load(sentence_files(roberta_folder))[0].tokenizer
    before = fingerprint(roberta_folder)
    sentence_files(roberta_folder, reading={"do_lower_case": True})
    (roberta_folder / "sentence_bert_config.json").rename(roberta_folder / name)
    encoder, params = load(roberta_folder)
    ids = encoder.tokenizer.tokenize([QUERY, "<mask> Sort"], 24)
    assert ids == with_case.tokenize([QUERY.lower(), "<mask> sort"], 24)
    assert ids != with_case.tokenize([QUERY, "<mask> Sort"], 24)  # the control
    assert fingerprint(roberta_folder) != before
    export_model(tmp_path / "model", encoder, params)
    assert load(tmp_path / "model")[0].tokenizer.tokenize([QUERY], 24) == ids[:1]


def test_queries_and_code_have_their_prompts(roberta_folder, tmp_path):
    plain = load(sentence_files(roberta_folder))[0].tokenizer
    before = fingerprint(roberta_folder)
    encoder, params = load(sentence_files(roberta_folder, model=PROMPTS))

    def holds(encoder):
        query, code = read(encoder)
        assert [query] == plain.tokenize([f"sort: {QUERY}"], 38)
        assert [code] == plain.tokenize([f"so {CODE}"], 38)
        # As SentenceTransformer.encode does.
        assert encoder.tokenizer.tokenize([QUERY], 38) == [query]
        assert [query] != plain.tokenize([QUERY], 38)  # the control
        assert Processor.of(encoder).words([QUERY]) == plain.tokenize([QUERY], 38)

    holds(encoder)
    assert fingerprint(roberta_folder) != before
    export_model(tmp_path / "model", encoder, params)
    holds(load(tmp_path / "model")[0])
    about = json.loads((tmp_path / "model/config_sentence_transformers.json").read_text())
    assert {name: about[name] for name in PROMPTS} == PROMPTS


@pytest.mark.parametrize(
    ("files", "new"),
    [
        ({"reading": {"do_lower_case": True}}, True),
        ({"model": {"prompts": {"query": "q: "}}}, True),
        ({"model": {"truncate_dim": 4}}, True),
        ({"model": {"similarity_fn_name": "cosine"}}, True),
        ({"model": {"similarity_fn_name": "cosine"}, "kinds": NORMALIZED}, False),
        ({}, False),
    ],
)
def test_only_what_was_not_read_before_changes_a_fingerprint(
    files, new, bert_folder, tmp_path, monkeypatch
):
    # Features that an earlier version cached are those of its own reading.
    sentence_files(bert_folder, **files)
    settings = {"query_length": 9, "code_length": 9}  # else the length alone is new
    (bert_folder / "softnce_jax.json").write_text(json.dumps(settings))
    now = fingerprint(bert_folder)
    monkeypatch.setattr(load_module, "_reading", lambda modules: [])
    assert (fingerprint(bert_folder) != now) == new


def test_cached_ids_have_the_prompt_asked_for(roberta_folder):
    encoder, _ = load(sentence_files(roberta_folder, model=PROMPTS))
    processor = Processor.of(encoder).caching()
    (code,) = processor.codes([Candidate(QUERY, "u", "python")])
    query, words = processor.queries([QUERY])[0], processor.words([QUERY])[0]
    assert query.tolist() == read(encoder)[0] and code.tolist() == read(encoder, code=QUERY)[1]
    assert len({query.tobytes(), code.tobytes(), words.tobytes()}) == 3


def test_a_prompt_may_be_left_out_of_the_mean(roberta_folder, tmp_path):
    files = {"modes": MEAN | {"include_prompt": False}, "model": PROMPTS}
    encoder, params = load(sentence_files(roberta_folder, **files))
    found = vectors(encoder, params)

    plain = dataclasses.replace(encoder, tokenizer=Tokenizer(encoder.tokenizer.fast))
    for n, prompted in enumerate((f"sort: {QUERY}", f"so {CODE}")):
        ids = np.array(plain.tokenizer.tokenize([prompted], 38))
        position = np.arange(ids.size)[None] + 2
        states = np.asarray(plain.states(params, ids, np.ones(ids.shape, bool), position))[0]
        # <s> and the tokens of the prompt, its last space among them as in sentence-transformers.
        size = len(plain.tokenizer.tokenize([prompted.split(" ")[0] + " "], 38)[0]) - 1
        np.testing.assert_allclose(found[n], states[size:].mean(axis=0), atol=1e-5)
        assert np.abs(states.mean(axis=0) - found[n]).max() > 1e-2  # the control
    padded = encoder.tokenizer.pad(encoder.tokenizer.tokenize([QUERY, "a"], 38), 38)
    np.testing.assert_allclose(jax.jit(encoder.embed)(params, padded)[0], found[0], atol=1e-5)

    export_model(tmp_path / "model", encoder, params)
    np.testing.assert_allclose(vectors(*load(tmp_path / "model")), found, atol=1e-6)


def test_code_with_data_flow_has_no_prompt(roberta_folder):
    encoder, _ = load(sentence_files(roberta_folder, model=PROMPTS))
    with pytest.raises(InputError, match="a prompt before code, 'so ', and dataflow published"):
        dataclasses.replace(encoder, dataflow="published", flow_length=4, code_length=8)


@pytest.mark.parametrize(
    ("files", "length"),
    [
        ({"reading": {"max_seq_length": 9}}, 9),
        ({"reading": {"max_seq_length": 999}}, 38),  # all positions
        ({}, 38),
    ],
)
def test_texts_are_as_long_as_the_folder_says(files, length, roberta_folder):
    encoder, _ = load(sentence_files(roberta_folder, **files))
    assert (encoder.query_length, encoder.code_length) == (length, length)


def test_the_tokenizers_own_length_counts_where_there_is_no_other(roberta_folder):
    path = roberta_folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_max_length": 11}))
    assert load(sentence_files(roberta_folder))[0].code_length == 11


@pytest.mark.parametrize(
    ("size", "kinds", "similarity"),
    [(None, NORMALIZED[:2], "cosine"), (4, NORMALIZED[:2], "dot"), (4, NORMALIZED, "cosine")],
)
def test_vectors_are_cut_after_their_unit_length(size, kinds, similarity, bert_folder):
    plain = jax.jit(load(bert_folder)[0].embed)
    about = {"similarity_fn_name": similarity, "truncate_dim": size}
    encoder, params = load(sentence_files(bert_folder, kinds=kinds, model=about))
    ids = ids_of(encoder)
    expected = plain(params, ids)
    if kinds == NORMALIZED:
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    expected = expected[:, :size]
    np.testing.assert_allclose(jax.jit(encoder.embed)(params, ids), expected, atol=1e-6)
    assert np.abs(np.linalg.norm(expected, axis=1) - 1).max() > 1e-2
    if similarity == "cosine":
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    ranked = jax.jit(encoder.for_ranking().embed)(params, ids)
    np.testing.assert_allclose(ranked, expected, atol=1e-6)


@pytest.mark.parametrize("kinds", [NORMALIZED, NORMALIZED[:2]], ids=["unit", "any"])
@pytest.mark.parametrize("similarity", ["cosine", "dot", None])
@pytest.mark.parametrize("size", [None, 4])
def test_an_export_says_how_vectors_compare(kinds, similarity, size, bert_folder, tmp_path):
    about = {"similarity_fn_name": similarity, "truncate_dim": size}
    encoder, params = load(sentence_files(bert_folder, kinds=kinds, model=about))
    names = ("normalize", "truncate_dim", "truncates_unit", "similarity")

    def said(encoder):
        return [getattr(encoder, name) for name in names]

    unit, cut = kinds == NORMALIZED, size is not None
    assert said(encoder) == [unit and not cut, size, unit and cut, similarity or "dot"]
    export_model(tmp_path / "model", encoder, params)
    assert said(load(tmp_path / "model")[0]) == said(encoder)
    # Trained for that similarity, it still ranks by it.
    ranked = encoder.for_ranking()
    assert ranked.normalize == (similarity == "cosine" or (unit and not cut))
    export_model(tmp_path / "model", ranked, params)
    again = load(tmp_path / "model")[0]
    assert said(again.for_ranking()) == said(ranked)


def test_what_a_folder_says_or_leaves_open_is_told(bert_folder, caplog):
    caplog.set_level(logging.INFO, "softnce_jax")
    sentence_files(bert_folder, model={"prompts": {"query": "q: "}, "truncate_dim": 4})
    load(bert_folder)
    assert "bert: reads queries after 'q: ', code after ''" in caplog.text
    assert "vectors are cut to their first 4 numbers" in caplog.text
    assert "no Normalize module and no similarity_fn_name: ranked by dot products" in caplog.text
    caplog.clear()
    load(sentence_files(bert_folder, model={"similarity_fn_name": "dot"}))
    load(sentence_files(bert_folder, kinds=NORMALIZED))
    assert not caplog.text


def test_without_modules_json_the_other_files_mean_nothing(roberta_folder):
    plain = load(roberta_folder)[0]
    sentence_files(roberta_folder, model=PROMPTS, reading={"do_lower_case": True})
    (roberta_folder / "modules.json").unlink()
    assert read(load(roberta_folder)[0]) == read(plain)


FLAGS = {f"pooling_mode_{kind}_tokens": False for kind in ("max", "mean_sqrt_len", "weightedmean")}
FLAGS |= {"pooling_mode_lasttoken": False, "include_prompt": True, "word_embedding_dimension": 16}


@pytest.mark.parametrize("pooling", ["mean", "cls", "pooler"])
def test_an_export_has_every_flag_of_pooling(pooling, bert_folder, tmp_path):
    export_model(tmp_path / "model", *load(bert_folder, pooling=pooling))
    mean = pooling == "mean"
    modes = {"pooling_mode_mean_tokens": mean, "pooling_mode_cls_token": not mean}
    assert json.loads((tmp_path / "model/1_Pooling/config.json").read_text()) == FLAGS | modes


PARITY = {
    "plain": {},
    "lower case": {"reading": {"do_lower_case": True, "max_seq_length": 12}},
    "prompts": {"model": PROMPTS},
    "prompts, lower case": {"model": PROMPTS, "reading": {"do_lower_case": True}},
    "prompts left out": {"modes": MEAN | {"include_prompt": False}, "model": PROMPTS},
    "of queries alone": {"model": {"prompts": {"query": "SORT"}, "default_prompt_name": "query"}},
    "no default": {"model": PROMPTS | {"default_prompt_name": None}},
    "cls": {"modes": CLS | {"pooling_mode_mean_tokens": False}},
    "unit": {"kinds": NORMALIZED},
    "cosine": {"model": {"similarity_fn_name": "cosine"}},
    "cut": {"model": {"truncate_dim": 5, "similarity_fn_name": "cosine"}},
    "cut of unit": {"model": PROMPTS | {"truncate_dim": 5}, "kinds": NORMALIZED},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, "roberta") for name in PARITY),
        ("prompts, lower case", "bert"),
        ("cut", "bert"),
        ("prompts left out", "distilbert"),
        ("cut of unit", "distilbert"),
    ],
)
def test_sentence_transformers_has_the_same_vectors(name, kind, request, tmp_path, torch):
    library = pytest.importorskip(
        "sentence_transformers", reason="sentence-transformers is not installed (its vectors)"
    )
    folder = request.getfixturevalue(f"{kind}_folder")
    rewrite(folder, to_published(request.getfixturevalue(kind).params))
    sentence_files(folder, **PARITY[name])
    export_model(tmp_path / "model", *load(folder))
    for path in (folder, tmp_path / "model"):
        model = library.SentenceTransformer(str(path), device="cpu")
        encoder, params = load(path)
        found = vectors(encoder, params)
        assert np.abs(found[0] - model.encode_query(QUERY)).max() < 1e-5
        assert np.abs(found[1] - model.encode_document(CODE)).max() < 1e-5
        ids = encoder.tokenizer.tokenize([CODE], encoder.code_length)
        usual = encoder.embed(params, np.array(ids))
        assert np.abs(np.asarray(usual)[0] - model.encode(CODE)).max() < 1e-5
        if encoder.similarity == "cosine":
            q, c = vectors(encoder.for_ranking(), params)
            assert abs(q @ c - float(model.similarity(found[0], found[1]))) < 1e-5
