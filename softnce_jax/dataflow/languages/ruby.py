"""Ruby."""

from __future__ import annotations

from dataclasses import dataclass

from softnce_jax.dataflow.nodes import (
    COMES_FROM,
    COMPUTED_FROM,
    Loop,
    Node,
    Program,
    Write,
    sequence,
)
from softnce_jax.dataflow.rules import Assign, Define, ForEach, If, InOrder, While

# Keywords among them: with one as a child, the state before is kept.
CHOICES = frozenset({"if", "elsif", "else", "unless", "when"})


@dataclass(frozen=True)
class Block:
    """xs.each { |x| ... }: the block's parameters are computed from xs, its body runs twice."""

    levels = 2

    def program(self, node: Node) -> Program:
        """The call, then two rounds; without parameters the children in order."""
        block, receiver = node.fields.get("block"), node.fields.get("receiver")
        inner = block.children if block else []
        parameters = [child for child in inner if child.kind.name == "block_parameters"]
        if not parameters:
            return sequence(node.children)
        relation = COMPUTED_FROM if receiver else COMES_FROM
        body = [child for child in inner if child not in parameters]
        once = [Write(parameters[0], receiver, relation, False), *sequence(body)]
        call = [child for child in node.children if child is not block]
        return [*sequence(call), Loop(node, once, once)]


# What the grammar calls identifiers and literals; operators and delimiters can be leaves too.
NAMES = """
    identifier constant instance_variable class_variable global_variable hash_key_symbol
    simple_symbol integer float character string string_content heredoc_beginning
    heredoc_content escape_sequence
"""
PUBLISHED = {
    "keyword_parameter": Define(),
    "assignment": Assign(how="pairs"),
    "operator_assignment": Assign(left=0, right=-1, how="all"),
    **dict.fromkeys(CHOICES, If(CHOICES)),
    "for": ForEach(left="pattern", right="value", how="all"),
    "while_modifier": While(),
    "until": While(),
}
EXTENDED = PUBLISHED | {
    **dict.fromkeys(("if", "elsif", "unless"), If(CHOICES, exact=True)),
    "else": InOrder(),
    "while": While(),
    "until_modifier": While(),
    "call": Block(),
}
