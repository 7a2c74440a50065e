"""Storage in an S3 bucket."""

import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from itertools import chain
from typing import Any, BinaryIO, cast

from echostream.extras import require
from echostream.storage.base import BLOCK_BYTES, FOLDERS, Entry, blocks_of

_PATIENCE_S = 20.0
_LEAST_BYTES_PER_S = 100_000


def open_bucket(url: str) -> "Bucket":
    """The part of a bucket that an `s3://` URL names. Raises ValueError where it names none, and
    MissingExtra."""
    require("s3", "an S3 bucket")
    from fsspec.core import url_to_fs

    # Not the instance that fsspec would share: its settings are ours. No cached listings, as other
    # hosts write too.
    retries = {"total_max_attempts": 2, "mode": "standard"}
    filesystem, root = url_to_fs(
        url,
        skip_instance_cache=True,
        use_listings_cache=False,
        config_kwargs={"retries": retries},
    )
    if not root.partition("/")[0]:
        raise ValueError("STORAGE_URL names no bucket")
    return Bucket(filesystem, root)


class Bucket:
    """Part of an S3 bucket. Endpoint, region and credentials come from the usual AWS_* variables,
    which botocore reads. It connects on first use.

    Needs the permissions GetObject, PutObject, DeleteObject, AbortMultipartUpload, ListBucket and
    ListBucketMultipartUploads.
    """

    def __init__(self, filesystem: Any, root: str) -> None:
        # These come with s3fs, which takes time to load, so only buckets import them.
        from aiohttp import ClientError as BrokenBody
        from botocore.exceptions import (  # type: ignore[import-untyped]
            BotoCoreError,
            ClientError,
        )

        self.faults: tuple[type[Exception], ...] = (OSError, BotoCoreError, ClientError, BrokenBody)
        self._s3 = filesystem
        # Only s3fs notices a body that breaks off, and only botocore a refused connection, so each
        # of them tries twice.
        self._s3.retries = 2
        bucket, _, prefix = root.partition("/")
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/".lstrip("/")

    def write(self, path: str, blocks: Iterable[bytes]) -> None:
        target = {"Bucket": self._bucket, "Key": self._prefix + path}
        rest = iter(blocks)
        block, following = next(rest, b""), next(rest, None)
        if following is None:
            self._call("put_object", block, **target)
            return
        target["UploadId"] = self._call("create_multipart_upload", **target)["UploadId"]
        try:
            parts = [
                self._send_part(target, number, part)
                for number, part in enumerate(chain([block, following], rest), 1)
            ]
            done = {"Parts": parts}
            self._call("complete_multipart_upload", **target, MultipartUpload=done)
        except BaseException:
            with suppress(*self.faults):  # if it fails, `abort_uploads` finds the upload later
                self._call("abort_multipart_upload", **target)
            raise

    def _send_part(self, target: dict[str, str], number: int, block: bytes) -> dict[str, Any]:
        sent = self._call("upload_part", block, **target, PartNumber=number)
        return {"PartNumber": number, "ETag": sent["ETag"]}

    def _call(self, operation: str, body: bytes | None = None, /, **what: Any) -> dict[str, Any]:
        """One S3 operation. Raises TimeoutError if it takes too long, including retries; botocore
        has no time limit for the time before a body is sent."""
        if body is not None:
            what["Body"] = body
        patience_s = _PATIENCE_S + len(body or b"") / _LEAST_BYTES_PER_S
        answer: dict[str, Any] = self._s3.call_s3(operation, timeout=patience_s, **what)
        return answer

    def open(self, path: str, opened: ExitStack, stop: threading.Event) -> BinaryIO | None:
        """Downloads into an unlinked temporary file."""
        local = opened.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        key = f"{self._bucket}/{self._prefix}{path}"
        try:
            with self._s3.open(key, block_size=BLOCK_BYTES, cache_type="none") as remote:
                for block in blocks_of(remote, stop):
                    local.write(block)
        except FileNotFoundError:
            return None
        local.seek(0)
        return local

    def exists(self, path: str) -> bool:
        # Not HEAD, whose answer would be the same without the bucket.
        key = self._prefix + path
        found = self._call("list_objects_v2", Bucket=self._bucket, Prefix=key, MaxKeys=1)
        return any(item["Key"] == key for item in found.get("Contents", ()))

    def read(self, path: str) -> bytes | None:
        try:
            data: bytes = self._s3.cat_file(
                f"{self._bucket}/{self._prefix}{path}", timeout=_PATIENCE_S
            )
        except FileNotFoundError as error:
            if s3_code(error) == "NoSuchBucket":
                raise
            return None
        return data

    def delete(self, path: str) -> None:
        self._call("delete_object", Bucket=self._bucket, Key=self._prefix + path)

    def list(self, folder: str) -> Iterator[Entry]:
        now = time.time()
        where = {"Bucket": self._bucket, "Prefix": f"{self._prefix}{folder}/", "Delimiter": "/"}
        while True:
            page = self._call("list_objects_v2", **where)
            for item in page.get("Contents", ()):
                path = item["Key"].removeprefix(self._prefix)
                yield Entry(path, now - item["LastModified"].timestamp())
            if not page.get("IsTruncated"):
                return
            where["ContinuationToken"] = page["NextContinuationToken"]

    def abort_uploads(self, older_than_s: float) -> int:
        """At most a thousand per folder; the next sweep aborts the rest."""
        aborted, now = 0, time.time()
        for folder in FOLDERS:
            where = {"Bucket": self._bucket, "Prefix": f"{self._prefix}{folder}/"}
            for upload in self._call("list_multipart_uploads", **where).get("Uploads", ()):
                if now - upload["Initiated"].timestamp() >= older_than_s:
                    which = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
                    self._call("abort_multipart_upload", Bucket=self._bucket, **which)
                    aborted += 1
        return aborted


def s3_code(fault: Exception) -> str | None:
    """S3's code for the error. s3fs has it in the cause of its own exception."""
    for error in (fault, fault.__cause__):
        if isinstance(response := getattr(error, "response", None), dict):
            return cast(str | None, response.get("Error", {}).get("Code"))
    return None
