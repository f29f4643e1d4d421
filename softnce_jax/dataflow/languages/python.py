"""Python."""

from __future__ import annotations

from softnce_jax.dataflow.rules import Assign, Define, ForEach, If, InOrder, While

STATEMENT = "expression_statement"  # where docstrings stand

COMPREHENSIONS = (
    "list_comprehension",
    "set_comprehension",
    "dictionary_comprehension",
    "generator_expression",
)

# What the grammar calls identifiers and literals; operators and delimiters can be leaves too.
NAMES = """
    identifier integer float string string_content true false none
"""
PUBLISHED = {
    "default_parameter": Define(),
    "assignment": Assign(how="pairs"),
    "augmented_assignment": Assign(how="pairs"),
    "for_in_clause": Assign(right=-1, how="all"),
    **dict.fromkeys(COMPREHENSIONS, InOrder(first="for_in_clause")),
    "if_statement": If(frozenset({"elif_clause", "else_clause"})),
    "for_statement": ForEach(how="pairs", lost_with="alternative"),
    "while_statement": While(),
}
EXTENDED = PUBLISHED | {
    "as_pattern": Assign(left="alias", right=0, how="all", lenient=True),
    "named_expression": Assign(left="name", right="value", how="all", lenient=True),
    "for_statement": ForEach(how="pairs", otherwise="alternative"),
}
