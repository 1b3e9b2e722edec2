"""A filter: a small expression over declared fields, read and checked, with no way to say more.

    price < 20 and language = "zh"
    category in ("drama", "war") and not creator = "Ann"

A comparison with what an item does not have is false, so its negation is true.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from lark import Lark, Token, Tree, UnexpectedCharacters, UnexpectedInput

from recommender.filtering.fields import Field, Type

LONGEST, MOST_VALUES, DEEPEST = 2_000, 50, 10
DIGITS, DECIMALS = 15, 10  # before and after the point; no column holds more

Value = str | Decimal | bool | date


class FilterError(ValueError):
    """A filter that cannot be used: a stable code, the place from 1, and facts to say it with."""

    def __init__(self, code: str, at: int = 1, **facts: object) -> None:
        super().__init__(f"{code} at character {at}: {facts}")
        self.code, self.at, self.facts = code, at, facts


@dataclass(frozen=True)
class Term:
    """One field held against values: `in`, which is one of them; or < <= > >= with one value."""

    name: str
    field: Field
    operator: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Combined:
    """Parts under `and` or `or`, or one part under `not`."""

    operator: str
    parts: tuple["Expression", ...]


Expression = Term | Combined

# A bracket or a `not` is a rule of its own, so that how deep they go can be counted.
_PARSER = Lark(
    r"""
    ?either: both (_OR both)*
    ?both: one (_AND one)*
    ?one: _NOT one                  -> negation
        | "(" either ")"            -> brackets
        | NAME COMPARISON value     -> comparison
        | NAME IN _values           -> comparison
        | NAME _NOT IN _values      -> exclusion
    _values: "(" value ("," value)* ")"
    ?value: TEXT | NUMBER | DATE | BOOLEAN
    _OR: "or"i
    _AND: "and"i
    _NOT: "not"i
    IN: "in"i
    BOOLEAN: "true"i | "false"i
    COMPARISON: "<=" | ">=" | "!=" | "<" | ">" | "="
    NAME: /attr:[-a-z0-9_]+|[a-z_][a-z0-9_]*/i
    TEXT: /"([^"\\\x00-\x1f\x7f\ud800-\udfff]|\\["\\])*"/
    DATE.2: /[0-9]{4}-[0-9]{2}-[0-9]{2}/
    NUMBER: /-?[0-9]+(\.[0-9]+)?/
    %ignore /[ \t\r\n]+/
    """,
    parser="lalr",
    start="either",
    propagate_positions=True,
)
_WORDS = {
    "_OR": "or",
    "_AND": "and",
    "_NOT": "not",
    "IN": "in",
    "BOOLEAN": "true",
    "COMPARISON": "=",
    "NAME": "field",
    "TEXT": '"text"',
    "NUMBER": "number",
    "DATE": "date",
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": ",",
    "$END": "end",
}


def parse(text: str, fields: Mapping[str, Field]) -> Expression:
    """Read a filter and check it against the fields. Raises FilterError, and nothing else.

    >>> from recommender.filtering.fields import FIELDS
    >>> parse('price < 20', FIELDS).values
    (Decimal('20'),)
    """
    if len(text) > LONGEST:
        raise FilterError("too_long", LONGEST + 1, most=LONGEST)
    try:
        tree = _PARSER.parse(text)
    except UnexpectedInput as error:
        raise _unexpected(text, error) from None
    return _Reader(fields).read(tree, depth=0)


class _Reader:
    """Turns what was parsed into an expression whose fields, operators and values are right."""

    def __init__(self, fields: Mapping[str, Field]) -> None:
        self.fields = fields
        self.n_values = 0

    def read(self, tree: Tree, *, depth: int) -> Expression:
        match tree.data:
            case "comparison":
                return self.term(*tree.children)
            case "exclusion":
                return Combined("not", (self.term(*tree.children),))
            case "negation" | "brackets":
                if depth == DEEPEST:
                    raise FilterError("too_deep", tree.meta.start_pos + 1, most=DEEPEST)
                part = self.read(tree.children[0], depth=depth + 1)
                return Combined("not", (part,)) if tree.data == "negation" else part
        parts = tuple(self.read(child, depth=depth) for child in tree.children)
        return Combined("or" if tree.data == "either" else "and", parts)

    def term(self, name: Token, operator: Token, *values: Token) -> Expression:
        field = self.fields.get(name)
        if field is None:
            raise FilterError(
                "unknown_field", _place(name), field=str(name), known=sorted(self.fields)
            )
        if operator.lower() not in field.operators:
            raise FilterError(
                "wrong_operator",
                _place(operator),
                field=str(name),
                operator=str(operator),
                known=field.operators,
            )
        self.n_values += len(values)
        if self.n_values > MOST_VALUES:
            raise FilterError("too_many", _place(name), most=MOST_VALUES)
        read = tuple(_value(str(name), field.type, value) for value in values)
        if operator in ("<", "<=", ">", ">="):
            return Term(str(name), field, str(operator), read)
        same = Term(str(name), field, "in", read)
        return Combined("not", (same,)) if operator == "!=" else same


def _place(token: Token) -> int:
    return token.start_pos + 1


def _value(name: str, wanted: Type, token: Token) -> Value:
    if token.type != wanted.name:
        raise FilterError("wrong_type", _place(token), field=name, type=wanted)
    match wanted:
        case Type.TEXT:
            return re.sub(r"\\(.)", r"\1", token[1:-1])
        case Type.BOOLEAN:
            return token.lower() == "true"
        case Type.NUMBER:
            whole, _, part = token.lstrip("-").partition(".")
            if len(whole) > DIGITS or len(part) > DECIMALS:
                raise FilterError("number", _place(token), digits=DIGITS, decimals=DECIMALS)
            return Decimal(token)
        case Type.DATE:
            try:
                return date.fromisoformat(token)
            except ValueError:
                raise FilterError("date", _place(token)) from None


def _unexpected(text: str, error: UnexpectedInput) -> FilterError:
    if isinstance(error, UnexpectedCharacters):
        at, allowed = error.pos_in_stream, error.allowed
    else:
        is_over = error.token.type == "$END"  # whose place is that of the token before
        at, allowed = len(text) if is_over else error.token.start_pos, error.accepts
    known = sorted({_WORDS[name] for name in allowed})
    if at == len(text):
        return FilterError("unfinished", at + 1, known=known)
    return FilterError("unexpected", at + 1, found=text[at : at + 20], known=known)
