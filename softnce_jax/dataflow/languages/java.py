"""Java."""

from __future__ import annotations

from softnce_jax.dataflow.rules import Assign, Define, For, ForEach, If, Increment, While

# What the grammar calls identifiers and literals; operators and delimiters can be leaves too.
NAMES = """
    identifier type_identifier decimal_integer_literal hex_integer_literal
    octal_integer_literal binary_integer_literal decimal_floating_point_literal
    hex_floating_point_literal character_literal string_fragment multiline_string_fragment
    escape_sequence null_literal void_type boolean_type
"""
PUBLISHED = {
    "variable_declarator": Define(),
    "assignment_expression": Assign(),
    "update_expression": Increment(),
    "if_statement": If(frozenset({"if_statement", "else"}), sticky=True),
    "for_statement": For(frozenset({"local_variable_declaration"})),
    "enhanced_for_statement": ForEach(left="name", right="value"),
    "while_statement": While(),
}
EXTENDED = PUBLISHED | {
    "resource": Define(lenient=True),
    "if_statement": If(frozenset({"else"}), sticky=True, exact=True),
    "for_statement": For(frozenset({"local_variable_declaration"}), always=True),
    "do_statement": While(),
}
