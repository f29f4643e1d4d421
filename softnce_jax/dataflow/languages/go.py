"""Go."""

from __future__ import annotations

from softnce_jax.dataflow.rules import Assign, Define, For, If, Increment, InOrder

# What the grammar calls identifiers and literals; operators and delimiters can be leaves too.
NAMES = """
    identifier field_identifier package_identifier type_identifier label_name blank_identifier
    int_literal float_literal imaginary_literal rune_literal
    interpreted_string_literal_content raw_string_literal_content escape_sequence nil true
    false iota
"""
PUBLISHED = {
    "var_spec": Define(),
    "assignment_statement": Assign(),
    "inc_statement": Increment(),
    "if_statement": If(frozenset({"if_statement", "else"}), sticky=True, keep=True),
    "for_statement": For(frozenset({"for_clause"}), update="update"),
    "for_clause": InOrder(),
}
EXTENDED = PUBLISHED | {
    "short_var_declaration": Assign(),
    "range_clause": Assign(lenient=True),
    "receive_statement": Assign(lenient=True),
    "dec_statement": Increment(),
    "if_statement": If(frozenset({"else"}), sticky=True, exact=True),
    "for_statement": For(frozenset({"for_clause"}), update="update", always=True),
}
