"""What a program could say by mistake: copies of its source with one fault each."""

import ast
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass

_COMPARED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_COMPUTED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Mod: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module with one fault."""

    line: int
    fault: str
    source: str


def mutants(source: str) -> Iterator[Mutant]:
    tree = ast.parse(source)
    for parent, field, place, node in list(_places(tree)):
        for fault, other in _others(node):
            _put(parent, field, place, other)
            line: int = getattr(node, "lineno", 0)
            yield Mutant(line, fault, ast.unparse(ast.fix_missing_locations(tree)))
        _put(parent, field, place, node)


def _places(parent: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """Where a fault may be: not in annotations, docstrings, decorators and messages."""
    for field, value in ast.iter_fields(parent):
        if field in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for place, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            if isinstance(node, ast.AST) and not is_text:
                yield parent, field, place, node
                if not isinstance(node, ast.Raise | ast.JoinedStr):
                    yield from _places(node)


def _put(parent: ast.AST, field: str, place: int | None, node: ast.AST) -> None:
    if place is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[place] = node


def _others(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:  # noqa: C901 - it is a table
    """What could stand in a node's place by mistake."""
    match node:
        case ast.Compare():
            for place, one in enumerate(node.ops):
                if compared := _COMPARED.get(type(one)):
                    ops = [*node.ops[:place], compared(), *node.ops[place + 1 :]]
                    yield compared.__name__, _with(node, ops=ops)
        case ast.BoolOp():
            joined = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield type(joined).__name__, _with(node, op=joined)
            for place in range(len(node.values)):
                rest = node.values[:place] + node.values[place + 1 :]
                left = rest[0] if len(rest) == 1 else _with(node, values=rest)
                yield f"without part {place + 1}", left
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield f"no {type(node.op).__name__}", node.operand
        case ast.BinOp() if computed := _COMPUTED.get(type(node.op)):
            yield computed.__name__, _with(node, op=computed())
        case ast.Constant(value=bool()):
            yield str(not node.value), ast.Constant(not node.value)
        case ast.Constant(value=int() as number):
            yield from ((str(each), ast.Constant(each)) for each in (number + 1, number - 1))
        case ast.Constant(value=float() as number):
            yield str(number * 2 + 1), ast.Constant(number * 2 + 1)
        case ast.Constant(value=str() as text) if len(text.split()) in (1, 2):  # no sentence
            yield "other text", ast.Constant(text + text[0])
        case ast.Constant(value=bytes() as text):
            yield "other text", ast.Constant(text + b"x")
        case ast.If() | ast.IfExp() | ast.While():
            yield "never", _with(node, test=ast.Constant(False))
            if not isinstance(node, ast.While):
                yield "always", _with(node, test=ast.Constant(True))
        case ast.Return(value=ast.AST()) if ast.unparse(node) != "return None":
            yield "returns None", _with(node, value=ast.Constant(None))
        case ast.Raise() | ast.Expr() | ast.AugAssign() | ast.Break() | ast.Continue():
            yield "left out", ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield "left out", ast.Pass()
        case ast.Call():
            yield from _other_calls(node)


def _other_calls(call: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    is_symmetric = isinstance(call.func, ast.Name) and call.func.id in ("min", "max")
    if len(call.args) > 1 and not is_symmetric:
        first, second, *rest = call.args
        yield "swapped arguments", _with(call, args=[second, first, *rest])
    for place, given in enumerate(call.keywords):
        left = call.keywords[:place] + call.keywords[place + 1 :]
        yield f"without {given.arg}", _with(call, keywords=left)


def _with(node: ast.AST, **changed: object) -> ast.AST:
    other = copy(node)
    for name, value in changed.items():
        setattr(other, name, value)
    return other
