"""PHP. Its names have the type `name`: only parameters and assignments define them."""

from __future__ import annotations

from dataclasses import dataclass

from softnce_jax.dataflow.nodes import Node, Program
from softnce_jax.dataflow.rules import (
    Assign,
    Define,
    For,
    If,
    Increment,
    InOrder,
    While,
    rounds,
    stop,
)

AROUND = ("<?php", "?>")


@dataclass(frozen=True)
class PublishedForeach:
    """foreach ($xs as $x), both plain variables; nothing else is understood."""

    levels = 1

    def program(self, node: Node) -> Program:
        """Both rounds over the first two variables."""
        variables = [child for child in node.children if child.kind.name == "variable_name"]
        body = node.fields.get("body")
        if len(variables) < 2 or body is None:
            return stop(node, "two variables" if body else "body")
        return rounds(node, variables[1], variables[0], [body], "each")


@dataclass(frozen=True)
class Foreach:
    """foreach ($any->thing() as $key => &$value): what follows `as` is assigned from the rest."""

    levels = 1

    def program(self, node: Node) -> Program:
        """Both rounds over what stands around `as`."""
        kinds = [child.kind.name for child in node.children]
        body = node.fields.get("body")
        if "as" not in kinds or body is None:
            return stop(node, "as" if body else "body")
        middle = kinds.index("as")
        left, right = node.children[middle + 1], node.children[middle - 1]
        return rounds(node, left, right, [body], "each")


# What the grammar calls identifiers and literals; operators and delimiters can be leaves too.
NAMES = """
    name integer float string string_content escape_sequence nowdoc_string boolean null
    primitive_type cast_type
"""
PUBLISHED = {
    "simple_parameter": Define(value="default_value"),
    "assignment_expression": Assign(),
    "augmented_assignment_expression": Assign(),
    "update_expression": Increment(),
    "if_statement": If(frozenset({"if_statement", "else_clause"}), sticky=True, keep=True),
    "else_clause": If(frozenset({"if_statement", "else_clause"}), sticky=True, keep=True),
    "foreach_statement": PublishedForeach(),
    "for_statement": For(frozenset({"assignment_expression"})),
    "while_statement": While(),
}
EXTENDED = PUBLISHED | {
    "reference_assignment_expression": Assign(),
    "if_statement": If(frozenset({"else_if_clause", "else_clause"}), exact=True),
    "else_clause": InOrder(),
    "for_statement": For(frozenset({"assignment_expression"}), always=True),
    "foreach_statement": Foreach(),
    "do_statement": While(),
}
