r"""The six languages side by side: what a function is, where its documentation stands.

A query names in its matches: `function`, the code that is kept; its `name` and `body`; or a
`constructor`, where that is a node type of its own.
Functions without a body (abstract ones, arrows to an expression) match nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from softnce_jax.data.mining.documentation import docstring, godoc, javadoc, jsdoc, phpdoc, rdoc


@dataclass(frozen=True)
class Language:
    """What mining knows of a language.

    Attributes:
      endings: of its files.
      functions: the query that finds them.
      comment: what documentation is: a "block", the last `/**` above the function; its "lines",
        all comments above it; or a "docstring" inside.
      markup: makes plain text of the first paragraph of documentation.
      constructors: by name.
      standard: methods that every class may have and whose documentation says nothing of it.
      tests: matches names of tests' folders and files (without their endings), beside those that
        all languages share.
    """

    endings: tuple[str, ...]
    functions: str
    comment: Literal["block", "lines", "docstring"]
    markup: Callable[[str], str]
    constructors: re.Pattern[str]
    standard: re.Pattern[str]
    tests: re.Pattern[str]


LANGUAGES = {
    "ruby": Language(
        endings=(".rb", ".rake"),
        functions="""
            (method name: (_) @name body: (_) @body) @function
            (singleton_method name: (_) @name body: (_) @body) @function
        """,
        comment="lines",
        markup=rdoc,
        constructors=re.compile("initialize"),
        standard=re.compile(
            r"to_s|inspect|hash|eql\?|==|===|<=>|initialize_\w+|respond_to_missing\?"
        ),
        tests=re.compile("specs?|.*_spec|tc_.*"),
    ),
    "javascript": Language(
        endings=(".js", ".mjs", ".cjs", ".jsx"),
        functions="""
            (function_declaration name: (_) @name body: (_) @body) @function
            (generator_function_declaration name: (_) @name body: (_) @body) @function
            (method_definition name: (_) @name body: (_) @body) @function
            (variable_declarator name: (identifier) @name value: [
              (function_expression body: (_) @body) (generator_function body: (_) @body)
              (arrow_function body: (statement_block) @body)]) @function
            (assignment_expression left: [(identifier) (member_expression)] @name right: [
              (function_expression body: (_) @body) (generator_function body: (_) @body)
              (arrow_function body: (statement_block) @body)]) @function
            (pair key: (_) @name value: [
              (function_expression body: (_) @body) (generator_function body: (_) @body)
              (arrow_function body: (statement_block) @body)]) @function
            (field_definition property: (_) @name value: [
              (function_expression body: (_) @body)
              (arrow_function body: (statement_block) @body)]) @function
        """,
        comment="block",
        markup=jsdoc,
        constructors=re.compile("constructor"),
        standard=re.compile("toString|valueOf|toJSON|toLocaleString"),
        tests=re.compile(r"specs?|__mocks__|cypress|.*\.(spec|cy|stories)|karma\.conf"),
    ),
    "go": Language(
        endings=(".go",),
        functions="""
            (function_declaration name: (_) @name body: (_) @body) @function
            (method_declaration name: (_) @name body: (_) @body) @function
        """,
        comment="lines",
        markup=godoc,
        constructors=re.compile("init"),
        standard=re.compile("String|GoString|Error|MarshalJSON|UnmarshalJSON"),
        tests=re.compile("(?!)"),
    ),
    "python": Language(
        endings=(".py",),
        functions="""
            (function_definition name: (_) @name body: (_) @body) @function
        """,
        comment="docstring",
        markup=docstring,
        constructors=re.compile("__(init|new|post_init)__"),
        standard=re.compile(r"__\w+__"),
        tests=re.compile("conftest"),
    ),
    "java": Language(
        endings=(".java",),
        functions="""
            (method_declaration name: (_) @name body: (_) @body) @function
            (constructor_declaration) @constructor
            (compact_constructor_declaration) @constructor
        """,
        comment="block",
        markup=javadoc,
        constructors=re.compile("(?!)"),
        standard=re.compile("toString|hashCode|equals|clone|finalize|compareTo"),
        tests=re.compile("Test[A-Z].*|.*TestCase|.*[a-z]IT"),
    ),
    "php": Language(
        endings=(".php", ".inc"),
        functions="""
            (function_definition name: (_) @name body: (_) @body) @function
            (method_declaration name: (_) @name body: (_) @body) @function
        """,
        comment="block",
        markup=phpdoc,
        constructors=re.compile("__construct"),
        standard=re.compile(r"__\w+"),
        tests=re.compile(".*TestCase"),
    ),
}
