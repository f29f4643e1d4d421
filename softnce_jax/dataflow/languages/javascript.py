"""JavaScript."""

from __future__ import annotations

from softnce_jax.dataflow.rules import Assign, Define, For, ForEach, If, Increment, While

# What the grammar calls identifiers and literals; operators and delimiters can be leaves too.
NAMES = """
    identifier property_identifier private_property_identifier shorthand_property_identifier
    shorthand_property_identifier_pattern statement_identifier number string string_fragment
    escape_sequence regex_pattern regex_flags jsx_text
"""
PUBLISHED = {
    "variable_declarator": Define(),
    "assignment_pattern": Assign(),
    "augmented_assignment_expression": Assign(),
    "update_expression": Increment(),
    "if_statement": If(frozenset({"if_statement", "else"}), sticky=True, keep=True),
    "for_statement": For(frozenset({"variable_declaration"})),
    "while_statement": While(),
}
EXTENDED = PUBLISHED | {
    "assignment_expression": Assign(),
    "if_statement": If(frozenset({"else_clause"}), exact=True),
    "for_statement": For(frozenset({"variable_declaration", "lexical_declaration"}), always=True),
    "for_in_statement": ForEach(),
    "do_statement": While(),
}
