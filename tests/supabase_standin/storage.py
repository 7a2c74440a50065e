"""The part that is shaped like Supabase's storage: objects are rows that row level security
guards, and their bytes lie in a folder."""

import json
import uuid
from typing import TYPE_CHECKING, Any

import psycopg
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from supabase_standin.rest import transaction
from supabase_standin.tokens import BadToken, Claims, signed, verified

if TYPE_CHECKING:
    from supabase_standin.project import Project


def refusal(status: int, error: str, message: str) -> Response:
    """The storage service's own status is in the body; that of the response is 400."""
    content = {"statusCode": str(status), "error": error, "message": message}
    return JSONResponse(content, 400)


def answer(
    project: "Project", claims: Claims, request: Request, body: bytes, upload: UploadFile | None
) -> Response:
    place = request.path_params["name"].split("/")
    try:
        match request.method, place:
            case "POST", ["object", "sign", bucket, *path]:
                return _sign(project, claims, bucket, "/".join(path), json.loads(body))
            case "POST" | "PUT", ["object", bucket, *path] if upload is not None:
                replaces = request.headers.get("x-upsert") == "true" or request.method == "PUT"
                return _keep(project, claims, bucket, "/".join(path), upload, replaces)
            case "DELETE", ["object", bucket]:
                return _remove(project, claims, bucket, json.loads(body)["prefixes"])
            case "GET", ["object", bucket, *path]:
                return _read(project, claims, bucket, "/".join(path))
    except psycopg.errors.InsufficientPrivilege as error:
        return refusal(403, "Unauthorized", str(error.diag.message_primary))
    except psycopg.errors.UniqueViolation:
        return refusal(409, "Duplicate", "The resource already exists")
    return refusal(404, "not_found", "no such route")


def signed_object(project: "Project", request: Request) -> Response:
    """What a signed URL leads to; it needs no key."""
    name = request.path_params["name"]
    try:
        claims = verified(request.query_params.get("token", ""), project.secret, project.now_s)
    except BadToken:
        return refusal(400, "InvalidJWT", '"exp" claim timestamp check failed')
    if claims.get("url") != name:
        return refusal(400, "InvalidSignature", "The url do not match the signature")
    return _file(project, *name.split("/", 1))


def _keep(
    project: "Project", claims: Claims, bucket: str, path: str, upload: UploadFile, replaces: bool
) -> Response:
    if not project.rows("select 1 from storage.buckets where id = %s", bucket):
        return refusal(404, "Bucket not found", "Bucket not found")
    if (upload.size or 0) > project.max_object_bytes:
        return refusal(413, "Payload too large", "The object exceeded the maximum allowed size")
    number = uuid.uuid4().hex
    (project.folder / number).write_bytes(upload.file.read())
    sql = (
        "insert into storage.objects (bucket_id, name, owner_id, metadata) values (%s, %s, %s, %s)"
    )
    if replaces:
        sql += " on conflict (bucket_id, name) do update set metadata = excluded.metadata"
    _rows(
        project,
        claims,
        sql,
        bucket,
        path,
        claims.get("sub"),
        json.dumps({"file": number, "mimetype": upload.content_type}),
    )
    return JSONResponse({"Key": f"{bucket}/{path}", "Id": number})


def _remove(project: "Project", claims: Claims, bucket: str, paths: list[str]) -> Response:
    sql = "delete from storage.objects where bucket_id = %s and name = any (%s) returning name"
    return JSONResponse([{"name": row[0]} for row in _rows(project, claims, sql, bucket, paths)])


def _sign(
    project: "Project", claims: Claims, bucket: str, path: str, given: dict[str, Any]
) -> Response:
    if not _is_visible(project, claims, bucket, path):
        return refusal(404, "not_found", "Object not found")
    name = f"{bucket}/{path}"
    expires_at = int(project.now_s + int(given["expiresIn"]))
    token = signed({"url": name, "exp": expires_at}, project.secret)
    return JSONResponse({"signedURL": f"/object/sign/{name}?token={token}"})


def _read(project: "Project", claims: Claims, bucket: str, path: str) -> Response:
    if not _is_visible(project, claims, bucket, path):
        return refusal(404, "not_found", "Object not found")
    return _file(project, bucket, path)


def _is_visible(project: "Project", claims: Claims, bucket: str, path: str) -> bool:
    sql = "select 1 from storage.objects where bucket_id = %s and name = %s"
    return bool(_rows(project, claims, sql, bucket, path))


def _file(project: "Project", bucket: str, path: str) -> Response:
    sql = "select metadata from storage.objects where bucket_id = %s and name = %s"
    found = project.rows(sql, bucket, path)
    if not found:
        return refusal(404, "not_found", "Object not found")
    # FileResponse answers requests for a range, as a player sends them.
    return FileResponse(project.folder / found[0][0]["file"], media_type=found[0][0]["mimetype"])


def _rows(project: "Project", claims: Claims, sql: str, *values: object) -> list[tuple[Any, ...]]:
    with project.connect() as connection, transaction(connection, claims) as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall() if cursor.description else []
