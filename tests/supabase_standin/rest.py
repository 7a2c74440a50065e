"""The part that is shaped like PostgREST: a request becomes one SQL statement that runs as the
caller's role, so that grants and row level security are PostgreSQL's own."""

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
from psycopg.sql import SQL, Composable, Identifier, Literal
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from supabase_standin.tokens import Claims

_NO_FILTERS = {"select", "order", "limit", "offset", "on_conflict", "columns"}
_STATUS = {"23503": 409, "23505": 409, "42P01": 404, "42883": 404, "57014": 500}
_CLASS_STATUS = {"08": 503, "53": 503, "57": 500, "40": 500}


Connect = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]


class Refused(Exception):
    """An error of PostgREST's own."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@contextmanager
def transaction(connection: psycopg.Connection[Any], claims: Claims) -> Any:
    """As PostgREST and the storage service do it: the role and the claims hold until the end."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(
            "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true)",
            (claims["role"], json.dumps(claims)),
        )
        yield cursor


def error_response(error: psycopg.Error | Refused, claims: Claims) -> Response:
    if isinstance(error, Refused):
        content = {"code": error.code, "message": error.message, "details": None, "hint": None}
        return JSONResponse(content, error.status)
    code, told = error.sqlstate or "XX000", error.diag
    content = {
        "code": code,
        "message": told.message_primary,
        "details": told.message_detail,
        "hint": told.message_hint,
    }
    if code == "42501":
        status = 401 if claims["role"] == "anon" else 403
    else:
        status = _STATUS.get(code, _CLASS_STATUS.get(code[:2], 400))
    return JSONResponse(content, status)


def answer(connect: Connect, claims: Claims, request: Request, body: bytes) -> Response:
    """The response to a request for a table or, under `rpc/`, a function."""
    with connect() as connection:
        try:
            name = request.path_params["name"]
            if request.path_params.get("is_function"):
                return _call(connection, claims, name, json.loads(body))
            return _table(connection, claims, name, request, body)
        except (psycopg.Error, Refused) as error:
            return error_response(error, claims)


def _call(
    connection: psycopg.Connection[Any], claims: Claims, name: str, given: dict[str, Any]
) -> Response:
    found = connection.execute(
        "select proargnames, proargtypes::regtype[]::text[], pronargs - pronargdefaults,"
        " prorettype::regtype::text from pg_proc"
        " where pronamespace = 'public'::regnamespace and proname = %s",
        (name,),
    ).fetchone()
    names = (found[0] or []) if found else []
    if not found or not set(given) <= set(names) or not set(names[: found[2]]) <= set(given):
        message = f"Could not find the function public.{name}({', '.join(given)}) in the schema"
        raise Refused(404, "PGRST202", f"{message} cache")
    types = dict(zip(names, found[1], strict=True))
    columns = SQL(", ").join(
        SQL("{} {}").format(Identifier(each), SQL(types[each])) for each in given
    )
    arguments = SQL(", ").join(SQL("{0} => given.{0}").format(Identifier(each)) for each in given)
    source = (
        SQL("from json_to_record({}) as given ({})").format(Literal(json.dumps(given)), columns)
        if given
        else SQL("")
    )
    call = SQL("select public.{}({})::text {}").format(Identifier(name), arguments, source)
    with transaction(connection, claims) as cursor:
        result = cursor.execute(call).fetchone()[0]
    if found[3] == "void":
        return Response(status_code=204)
    return Response(result, media_type="application/json")


def _table(
    connection: psycopg.Connection[Any], claims: Claims, name: str, request: Request, body: bytes
) -> Response:
    columns = {
        row[0]
        for row in connection.execute(
            "select attname from pg_attribute where attrelid = to_regclass(%s)"
            " and attnum > 0 and not attisdropped",
            (f'public."{name}"',),
        )
    }
    if not columns:
        message = f"Could not find the table 'public.{name}' in the schema cache"
        raise Refused(404, "PGRST205", message)
    prefer = request.headers.get("prefer", "")
    statement = _statement(request, Identifier("public", name), columns, prefer, body)
    is_read = request.method == "GET"
    with transaction(connection, claims) as cursor:
        if not is_read and "return=representation" not in prefer:
            cursor.execute(statement)
            return Response(status_code=201 if request.method == "POST" else 204)
        wrapped = SQL("with found as ({}) select coalesce(json_agg(found), '[]')::text from found")
        rows = cursor.execute(wrapped.format(statement)).fetchone()[0]
    status = 201 if request.method == "POST" else 200
    return Response(rows, status, media_type="application/json")


def _statement(
    request: Request, table: Composable, columns: set[str], prefer: str, body: bytes
) -> Composable:
    wanted = request.query_params.get("select", "*")
    returns = "return=representation" in prefer
    if request.method == "GET":
        parts = [SQL("select {} from {}").format(_columns(wanted), table), _where(request)]
        return SQL(" ").join([*parts, _end(request)])
    returning = SQL("returning {}").format(_columns(wanted, "t")) if returns else SQL("")
    if request.method == "DELETE":
        return SQL("delete from {} as t {} {}").format(table, _where(request, "t"), returning)
    given = json.loads(body)
    rows = given if isinstance(given, list) else [given]
    names = sorted({name for row in rows for name in row})
    if unknown := set(names) - columns:
        message = f"Could not find the '{unknown.pop()}' column in the schema cache"
        raise Refused(400, "PGRST204", message)
    source = SQL("json_populate_recordset(null::{}, {})").format(table, Literal(json.dumps(rows)))
    if request.method == "PATCH":
        changes = SQL(", ").join(SQL("{0} = body.{0}").format(Identifier(name)) for name in names)
        return SQL("update {} as t set {} from {} as body {} {}").format(
            table, changes, source, _where(request, "t"), returning
        )
    listed = SQL(", ").join(map(Identifier, names))
    conflict = SQL("on conflict do nothing" if "ignore-duplicates" in prefer else "")
    return SQL("insert into {} as t ({}) select {} from {} as body {} {}").format(
        table, listed, listed, source, conflict, returning
    )


def _columns(select: str, of: str | None = None) -> Composable:
    if select == "*":
        return SQL("{}.*").format(Identifier(of)) if of else SQL("*")
    names = select.split(",")
    return SQL(", ").join(Identifier(of, name) if of else Identifier(name) for name in names)


def _where(request: Request, of: str | None = None) -> Composable:
    """The filters that the client emits here: `eq`, `is` and `in`."""
    conditions: list[Composable] = []
    for name, condition in request.query_params.multi_items():
        if name in _NO_FILTERS:
            continue
        column = Identifier(of, name) if of else Identifier(name)
        operator, _, value = condition.partition(".")
        if operator == "eq":
            conditions.append(SQL("{} = {}").format(column, Literal(value)))
        elif operator == "is" and value in ("null", "true", "false"):
            conditions.append(SQL("{} is {}").format(column, SQL(value)))
        elif operator == "in":
            values = SQL(", ").join(map(Literal, _listed(value)))
            conditions.append(SQL("{} in ({})").format(column, values))
        else:
            raise Refused(400, "PGRST100", f'"failed to parse filter ({condition})"')
    return SQL("where {}").format(SQL(" and ").join(conditions)) if conditions else SQL("")


def _listed(value: str) -> list[str]:
    """The values of `(a,"b,c")`."""
    found = re.findall(r'"((?:[^"\\]|\\.)*)"|([^,]+)', value[1:-1])
    return [re.sub(r"\\(.)", r"\1", quoted) or plain for quoted, plain in found]


def _end(request: Request) -> Composable:
    parts: list[Composable] = []
    if order := request.query_params.get("order"):
        terms = [term.split(".") for term in order.split(",")]
        keys = [
            SQL("{} {}").format(Identifier(name), SQL("desc" if "desc" in how else "asc"))
            for name, *how in terms
        ]
        parts.append(SQL("order by {}").format(SQL(", ").join(keys)))
    given = [name for name in ("limit", "offset") if name in request.query_params]
    numbers = {name: Literal(int(request.query_params[name])) for name in given}
    parts += [SQL("{} {}").format(SQL(name), numbers[name]) for name in given]
    return SQL(" ").join(parts)
