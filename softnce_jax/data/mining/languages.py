"""What mining knows of each language: what a function is, where its documentation stands.

A query labels in its matches `function`, the code that is kept, its `name` and `body`; or
`constructor`, if that is a node type of its own. Functions without a body (abstract ones, arrows
to an expression) match nothing. Another query labels what stands `outer` and begins before a
function, as `export` does, and what it holds, `inner`: documentation stands before the outermost.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from softnce_jax.data.mining.documentation import docstring, godoc, javadoc, jsdoc, phpdoc, rdoc

__all__ = ["RULES", "Rules"]


@dataclass(frozen=True)
class Rules:
    """What mining knows of a language.

    Attributes:
      functions: the query that finds them.
      documentation: where it stands: in the last "block" `/** */` before the function, whatever
        white space and other comments follow, in all comment "lines" right above it, or in a
        "docstring" inside.
      markup: makes plain text of the first paragraph of documentation.
      constructors: matches their names.
      standard: matches methods that any class may have; their documentation says nothing of it.
      tests: matches names of tests' folders and files (without endings), beside those that all
        languages share.
      comments: the query that finds them.
      around: the query for what begins before a function.
      within: whether a block may also stand in the function, before its name.
    """

    functions: str
    documentation: Literal["block", "lines", "docstring"]
    markup: Callable[[str], str]
    constructors: re.Pattern[str]
    standard: re.Pattern[str]
    tests: re.Pattern[str]
    comments: str = "(comment)"
    around: str = ""
    within: bool = False


RULES = {
    "ruby": Rules(
        functions="""
            (method name: (_) @name body: (_) @body) @function
            (singleton_method name: (_) @name body: (_) @body) @function
        """,
        documentation="lines",
        markup=rdoc,
        constructors=re.compile("initialize"),
        standard=re.compile(
            r"to_s|inspect|hash|eql\?|==|===|<=>|initialize_\w+|respond_to_missing\?"
        ),
        tests=re.compile("specs?|.*_spec|tc_.*"),
    ),
    "javascript": Rules(
        functions="""
            (function_declaration name: (_) @name body: (_) @body) @function
            (generator_function_declaration name: (_) @name body: (_) @body) @function
            (method_definition name: (_) @name body: (_) @body) @function
            (variable_declarator name: (identifier) @name value: [
              (function_expression body: (_) @body) (generator_function body: (_) @body)
              (arrow_function body: (statement_block) @body)]) @function
            (assignment_expression left: [
              (identifier) (member_expression) (subscript_expression)] @name right: [
              (function_expression body: (_) @body) (generator_function body: (_) @body)
              (arrow_function body: (statement_block) @body)]) @function
            (pair key: (_) @name value: [
              (function_expression body: (_) @body) (generator_function body: (_) @body)
              (arrow_function body: (statement_block) @body)]) @function
            (field_definition property: (_) @name value: [
              (function_expression body: (_) @body)
              (arrow_function body: (statement_block) @body)]) @function
        """,
        documentation="block",
        markup=jsdoc,
        constructors=re.compile("constructor"),
        standard=re.compile("toString|valueOf|toJSON|toLocaleString"),
        tests=re.compile(r"specs?|__mocks__|cypress|.*\.(spec|cy|stories)|karma\.conf"),
        around="""
            (export_statement declaration: (_) @inner) @outer
            (lexical_declaration . (variable_declarator) @inner) @outer
            (variable_declaration . (variable_declarator) @inner) @outer
            (variable_declarator value: (assignment_expression) @inner) @outer
            (assignment_expression right: (assignment_expression) @inner) @outer
        """,
    ),
    "go": Rules(
        functions="""
            (function_declaration name: (_) @name body: (_) @body) @function
            (method_declaration name: (_) @name body: (_) @body) @function
        """,
        documentation="lines",
        markup=godoc,
        constructors=re.compile("init"),
        standard=re.compile("String|GoString|Error|MarshalJSON|UnmarshalJSON"),
        tests=re.compile("(?!)"),
    ),
    "python": Rules(
        functions="""
            (function_definition name: (_) @name body: (_) @body) @function
        """,
        documentation="docstring",
        markup=docstring,
        constructors=re.compile("__(init|new|post_init)__"),
        standard=re.compile(r"__\w+__"),
        tests=re.compile("conftest"),
    ),
    "java": Rules(
        functions="""
            (method_declaration name: (_) @name body: (_) @body) @function
            (constructor_declaration) @constructor
            (compact_constructor_declaration) @constructor
        """,
        documentation="block",
        markup=javadoc,
        constructors=re.compile("(?!)"),
        standard=re.compile("toString|hashCode|equals|clone|finalize|compareTo"),
        tests=re.compile("Test[A-Z].*|.*TestCase|.*[a-z]IT"),
        comments="[(line_comment) (block_comment)]",
    ),
    "php": Rules(
        functions="""
            (function_definition name: (_) @name body: (_) @body) @function
            (method_declaration name: (_) @name body: (_) @body) @function
        """,
        documentation="block",
        markup=phpdoc,
        constructors=re.compile("__construct"),
        standard=re.compile(r"__\w+"),
        tests=re.compile(".*TestCase"),
        within=True,
    ),
}
