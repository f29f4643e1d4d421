"""Tables of runs made by hand: figures by arithmetic, stars, the paper's numbers, warnings."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softnce_jax.errors import InputError
from softnce_jax.registry import LOSSES
from softnce_jax.sweep import tables
from softnce_jax.sweep.scores import Scores, read_runs
from softnce_jax.sweep.tables import latex, make_tables, write_tables
from tests.data.hostile import bounded, values
from tests.sweep.folders import write_run

RANDOM = np.random.default_rng(0)
BASE = 0.1 + RANDOM.random(60) * 0.5


def write_grid(folder, **given):
    """Two languages, two seeds, InfoNCE and a Soft-InfoNCE that is better in Ruby alone."""
    for seed, shift in ((1, 0.0), (2, 0.02)):
        for language in ("ruby", "go"):
            better = 0.2 if language == "ruby" else RANDOM.normal(0, 0.01, 60)
            same = {"seed": seed, "encoder": "unixcoder", **given}
            write_run(folder, {language: BASE + shift}, loss="infonce", **same)
            write_run(folder, {language: BASE + shift + better}, loss="soft_infonce", **same)


def rows(table) -> dict[str, list[str]]:
    return {row[0]: list(row[1:]) for row in table.rows}


def test_table_1_has_means_spreads_and_stars(tmp_path):
    write_grid(tmp_path)
    (table,) = make_tables(read_runs(tmp_path))
    assert table.title == "Table 1: all encoders and languages (MRR)"
    assert table.head == ["", "ruby", "go", "mean"]
    found = rows(table)
    mean = f"{BASE.mean() + 0.01:.3f}"[1:]
    spread = f"{0.02 / np.sqrt(2):.3f}"[1:]
    assert found["unixcoder, InfoNCE"] == [f"{mean} ± {spread}"] * 3
    ruby, go, both = found["unixcoder, Soft-InfoNCE, BM25"]
    assert ruby == f"{BASE.mean() + 0.21:.3f}"[1:] + f" ± {spread}**"
    assert "*" not in go and both.endswith("**")
    assert "Holm's correction for 3 cells" in table.notes[1] and "seeds (1, 2)" in table.notes[0]


def test_the_mean_is_over_languages_however_many_queries_they_have(tmp_path):
    for language, value_Q in {"go": np.full(10, 0.2), "ruby": np.full(50, 0.6)}.items():
        write_run(tmp_path, {language: value_Q}, loss="infonce", seed=1, encoder="unixcoder")
    (table,) = make_tables(read_runs(tmp_path))
    assert rows(table)["unixcoder, InfoNCE"] == [".600", ".200", ".400"]


def test_every_loss_is_in_a_table():
    """A new one is compared in the first, unless its row says otherwise."""
    losses = [*tables.MAIN_LOSSES, *tables.OTHER_LOSSES, *tables.CANCELLING_LOSSES]
    assert sorted(losses) == sorted(LOSSES) and losses[0] == "infonce"


def test_a_language_that_the_paper_has_not_is_a_column(tmp_path):
    for language in ("go", "rust"):
        write_run(tmp_path, {language: BASE}, loss="infonce", seed=1, encoder="unixcoder")
    (table,) = make_tables(read_runs(tmp_path))
    assert table.head == ["", "go", "rust", "mean"]


def test_the_papers_numbers_stand_beside_ours_on_its_data_alone(tmp_path):
    write_grid(tmp_path / "theirs", as_published=True)
    write_grid(tmp_path / "ours")
    write_tables(tmp_path / "theirs", tmp_path / "theirs")
    write_tables(tmp_path / "ours", tmp_path / "ours")
    theirs, ours = ((tmp_path / n / "tables.md").read_text() for n in ("theirs", "ours"))
    assert "(.740)" in theirs and "(.753)" in theirs and "(.915)" in theirs
    assert "WARNING" not in theirs and "the paper's number" in theirs
    assert "(.740)" not in ours and "not the paper's data" in ours
    # The mean is over two of its six languages, so it has no counterpart.
    assert "(.744)" not in theirs


def test_tables_2_and_5_of_the_other_losses(tmp_path):
    # "bce" stands for any loss that a later table knows; the configuration does not check it here.
    write_grid(tmp_path)
    for path in list(tmp_path.glob("*-soft_infonce-*")):
        results = path / "results.json"
        text = results.read_text().replace('"loss": "soft_infonce"', '"loss": "bce"')
        results.write_text(text)
    _, second, fifth = make_tables(read_runs(tmp_path))
    assert second.title.startswith("Table 2") and second.head == ["", "unixcoder"]
    assert rows(second).keys() == {"InfoNCE", "BCE, BM25"}
    assert rows(second)["BCE, BM25"] == [rows(fifth)["unixcoder, BCE, BM25"][-1]]


def test_table_3_names_what_was_cancelled(tmp_path):
    write_grid(tmp_path)
    for number, path in enumerate(sorted(tmp_path.glob("ruby-*-soft_infonce-*"))):
        results = json.loads((path / "results.json").read_text())
        results["config"] |= {"loss": "cancel_top_k", "cancel_k": 1 + 2 * number, "seed": 1}
        (path / "results.json").write_text(json.dumps(results))
    table = next(t for t in make_tables(read_runs(tmp_path)) if t.title.startswith("Table 3"))
    assert table.head == ["", "unixcoder, ruby"]
    assert list(rows(table))[1:3] == [
        "cancellation, top k, BM25, cancel_k 1",
        "cancellation, top k, BM25, cancel_k 3",
    ]
    assert rows(table)["Soft-InfoNCE, BM25"] == ["–"]


def test_a_users_loss_is_a_row_of_table_1(tmp_path):
    write_run(tmp_path, {"go": BASE}, loss="infonce")
    path = write_run(tmp_path, {"go": BASE + 0.1}, loss="soft_infonce")
    text = (path / "results.json").read_text()
    (path / "results.json").write_text(text.replace('"soft_infonce"', '"my.losses:focal"'))
    (table,) = make_tables(read_runs(tmp_path))
    assert list(rows(table)) == ["tiny, InfoNCE", "tiny, my.losses:focal, BM25"]
    assert rows(table)["tiny, my.losses:focal, BM25"][0].endswith("**")


def test_settings_that_differ_make_rows(tmp_path):
    for alpha in (1.1, 1.3):
        write_run(tmp_path, {"go": BASE}, loss="soft_infonce", alpha=alpha)
    write_run(tmp_path, {"go": BASE}, loss="infonce")
    (table,) = make_tables(read_runs(tmp_path))
    assert list(rows(table)) == [
        "tiny, InfoNCE",
        "tiny, Soft-InfoNCE, BM25, alpha 1.1",
        "tiny, Soft-InfoNCE, BM25, alpha 1.3",
    ]


def test_an_unfinished_grid_is_paired_by_common_seeds_and_says_so(tmp_path):
    write_run(tmp_path, {"go": BASE}, loss="infonce", seed=1)
    write_run(tmp_path, {"go": 0.4 * BASE}, loss="infonce", seed=2)
    write_run(tmp_path, {"go": BASE + RANDOM.normal(0, 0.01, 60)}, loss="soft_infonce", seed=1)
    (table,) = make_tables(read_runs(tmp_path))
    assert "*" not in rows(table)["tiny, Soft-InfoNCE, BM25"][0]
    assert any("Not every cell has every seed" in note for note in table.notes)
    write_run(tmp_path, {"go": BASE}, loss="soft_infonce", seed=2)
    (table,) = make_tables(read_runs(tmp_path))
    assert rows(table)["tiny, Soft-InfoNCE, BM25"][0].endswith("**")
    assert not any("Not every cell" in note for note in table.notes)


def test_graded_negatives_have_tables_of_their_own(tmp_path):
    write_run(tmp_path, {"go": BASE}, metric="negative_ndcg@10", loss="infonce")
    (table,) = make_tables(read_runs(tmp_path))
    assert table.title.endswith("(neg-nDCG@10)")


def test_folds_are_one_test_set(tmp_path):
    write_run(tmp_path, {"go": BASE[30:]}, loss="infonce", fold=1, first=30)
    write_run(tmp_path, {"go": BASE[:30]}, loss="infonce", fold=0)
    scores = Scores(read_runs(tmp_path), "mrr")
    ((system, found),) = scores.values.items()
    np.testing.assert_array_equal(found["go"][1234], BASE)
    np.testing.assert_array_equal(scores.seed_means(system, "go"), BASE)
    assert len(set(scores.units["go"])) == 60


def test_runs_that_do_not_belong_together(tmp_path):
    write_run(tmp_path, {"go": BASE}, loss="infonce")
    write_run(tmp_path, {"go": BASE[:20]}, loss="infonce", seed=2)
    with pytest.raises(InputError, match="its go queries are not those of the other runs"):
        make_tables(read_runs(tmp_path))
    with pytest.raises(InputError, match="no finished runs"):
        read_runs(tmp_path / "nowhere")


def test_runs_on_other_data_do_not_belong_together(tmp_path):
    """Although the queries are the same: the functions may have been read as other texts."""
    both = {"go": BASE, "ruby": BASE}
    one = write_run(tmp_path, both, loss="infonce")
    write_run(tmp_path, {"ruby": BASE}, loss="infonce", seed=2, fold=1)
    make_tables(read_runs(tmp_path))
    other = write_run(tmp_path, both, loss="soft_infonce", data_hash="earlier")
    with pytest.raises(
        InputError, match=f"{other.name}: its go data are not those of .*{one.name}"
    ):
        make_tables(read_runs(tmp_path))


def test_latex_has_as_many_columns_and_no_bare_specials(tmp_path):
    write_grid(tmp_path)
    (table,) = make_tables(read_runs(tmp_path))
    text = latex(table)
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.count("&") for line in body} == {3} and r"\begin{tabular}{llll}" in text
    assert r"$\pm$" in text and "±" not in text and "<" not in text.replace("$<$", "")


HOSTILE = "a\x1b[31m|b<img src=x>\n## c \u202e`[x](http://y)\\input{/etc/passwd}$x$%"


def test_names_of_others_are_text_in_every_form(tmp_path, capsys):
    for loss in ("infonce", "soft_infonce"):
        path = write_run(tmp_path, {"go": BASE}, loss=loss)
        results = json.loads((path / "results.json").read_text())
        results["config"]["encoder"] = HOSTILE.replace("/", "")
        results["protocol"] = {HOSTILE: results["protocol"]["go"]}
        (path / "results.json").write_text(json.dumps(results))
    write_tables(tmp_path, tmp_path)
    as_markdown, as_latex = ((tmp_path / f"tables.{e}").read_text() for e in ("md", "tex"))
    for text in (as_markdown, as_latex):
        assert not any(c in text for c in "\x1b\u202e") and "\n## c" not in text
    assert "<img" not in as_markdown and r"b&lt;img src=x&gt;\\n## c" in as_markdown
    rows = [line for line in as_markdown.splitlines() if line.startswith("|")]
    assert {line.replace(r"\|", "").count("|") for line in rows} == {3}
    assert r"\input" not in as_latex and r"\textbackslash{}input\{" in as_latex
    assert "WARNING a" in as_markdown and "the paper's: none" in as_markdown


def change(path, edit) -> None:
    results = json.loads(path.read_text())
    path.write_text(json.dumps(edit(results) or results))


DAMAGES = {
    "a list": (lambda r: [r], "expected object, got array"),
    "no config": (lambda r: {"x": 1}, "config: expected object, got null"),
    "no protocol": (lambda r: r.pop("protocol") and r, "object missing required field protocol"),
    "a size": (lambda r: r["protocol"]["go"].update(queries="many"), "queries: expected int"),
    "a seed": (lambda r: r["config"].update(seed="1"), "config: seed: expected int, got str"),
    "a fold": (lambda r: r["config"].update(fold=[]), "config: fold: expected int | null"),
    "no encoder": (lambda r: r["config"].pop("encoder") and r, "required field encoder"),
    "no data": (lambda r: r["config"].pop("data") and r, "required field data"),
    "no name": (lambda r: r["config"].update(loss=""), "config: loss: expected str of length >= 1"),
    "a name too long": (lambda r: r["config"].update(encoder="x" * 5000), "length <= 4096"),
    "a loss": (lambda r: r["config"].update(loss={}), "config: loss: expected str, got object"),
    "an estimator": (lambda r: r["config"].update(estimator="a b"), "config.estimator: "),
    "no alpha": (lambda r: r["config"].update(alpha=None), "config: alpha: expected float"),
    "alpha": (lambda r: r["config"].update(alpha=float("nan")), "config: alpha: expected float"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damaged_results_are_one_line(kind, tmp_path):
    path = write_run(tmp_path, {"go": BASE}, loss="soft_infonce") / "results.json"
    make_tables(read_runs(tmp_path))  # negative control
    edit, message = DAMAGES[kind]
    change(path, edit)
    with pytest.raises(InputError) as caught:
        make_tables(read_runs(tmp_path))
    assert str(caught.value).startswith(f"{path}: ") and message in str(caught.value)
    assert "\n" not in str(caught.value)


@bounded
@given(data=st.data())
def test_whatever_a_field_of_results_holds_only_input_errors_come_out(data, tmp_path):
    """Or tables do, of text that can be written."""
    folder = tmp_path / "runs"
    shutil.rmtree(folder, ignore_errors=True)
    path = write_run(folder, {"go": BASE}, loss="soft_infonce") / "results.json"
    write_run(folder, {"go": BASE}, loss="infonce")
    results = json.loads(path.read_text())
    place = data.draw(st.sampled_from([(), ("config",), ("protocol",), ("protocol", "go")]))
    at = results
    for name in place:
        at = at[name]
    at[data.draw(st.sampled_from(sorted(at)))] = data.draw(values)
    path.write_text(json.dumps(results))
    try:
        write_tables(folder, folder)
    except InputError as error:
        assert "\n" not in str(error)
