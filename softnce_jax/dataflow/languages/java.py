"""Java."""

from __future__ import annotations

from softnce_jax.dataflow.rules import Assign, Define, For, ForEach, If, Increment, While

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
