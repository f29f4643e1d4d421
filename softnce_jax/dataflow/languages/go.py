"""Go."""

from __future__ import annotations

from softnce_jax.dataflow.rules import Assign, Define, For, If, Increment, InOrder

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
