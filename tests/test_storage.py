"""One contract for both kinds of storage, each against the real thing: a folder, and S3 by moto."""

import asyncio
import errno
import io
import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

import boto3
import pytest

from echostream.errors import EchoStreamError, InvalidRequest, StorageFull
from echostream.storage import StagedAudioMissing, Storage, StorageUnavailable
from full_disk import small_files
from moto_server import PAGE_KEYS, moto_server, point_aws_at

MIB = 1024 * 1024


class Place(Protocol):
    """Where a storage keeps its files, looked at behind its back. Paths as in its description."""

    url: str

    def files(self) -> dict[str, int]:
        """Path and size of everything there is, broken writes included."""

    def put(self, path: str, data: bytes) -> None: ...


class FolderPlace:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"file://{folder}"

    def files(self) -> dict[str, int]:
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): path.stat().st_size for path in found}

    def put(self, path: str, data: bytes) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_bytes(data)


class BucketPlace:
    def __init__(self, client: Any, bucket: str) -> None:
        self.client = client
        self.bucket = bucket
        self.url = f"s3://{bucket}/some/prefix"

    def files(self) -> dict[str, int]:
        listed = self.client.list_objects_v2(Bucket=self.bucket).get("Contents", ())
        found = {item["Key"].removeprefix("some/prefix/"): item["Size"] for item in listed}
        uploads = self.client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", ())
        return found | {f"{upload['Key']} under way": 0 for upload in uploads}

    def put(self, path: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=f"some/prefix/{path}", Body=data)


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`aws(endpoint)` points the environment there."""
    return partial(point_aws_at, monkeypatch)


@pytest.fixture(scope="module")
def client(moto_url: str) -> Iterator[Any]:
    """One for all tests: to make one takes a third of a second."""
    with pytest.MonkeyPatch.context() as patch:
        point_aws_at(patch, moto_url)
        client = boto3.client("s3")
    yield client
    client.close()


@pytest.fixture
def bucket(
    moto_url: str, client: Any, aws: Callable[[str], None], request: pytest.FixtureRequest
) -> BucketPlace:
    aws(moto_url)
    name = f"bucket-{abs(hash(request.node.name))}"
    client.create_bucket(Bucket=name)
    return BucketPlace(client, name)


@pytest.fixture
def folder(tmp_path: Path) -> FolderPlace:
    return FolderPlace(tmp_path / "data")


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest) -> Place:
    return request.getfixturevalue(request.param)


@pytest.fixture
def storage(place: Place) -> Storage:
    return Storage(place.url)


async def read(storage: Storage, name: str) -> bytes:
    async with storage.staged(name) as file:
        return await asyncio.to_thread(file.read)


async def forget_all(_name: str) -> bool:
    return False


class SlowFile(io.BytesIO):
    """A file whose blocks are waited for, so that a test can act while it is being stored."""

    def __init__(self, data: bytes, *, free_blocks: int) -> None:
        super().__init__(data)
        self.free_blocks = free_blocks
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def read(self, size: int | None = -1) -> bytes:
        self.free_blocks -= 1
        if self.free_blocks < 0:
            self.reached.set()
            assert self.go_on.wait(30)
        return super().read(size)


class BrokenFile(io.BytesIO):
    """Its second block cannot be read."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell():
            raise OSError(errno.EIO, "medium error")
        return super().read(size)


class TestStagedAudio:
    @pytest.mark.parametrize("size", [0, 1, 100_000, 8 * MIB, 20 * MIB])
    async def test_comes_back_whole(self, storage: Storage, place: Place, size: int) -> None:
        data = os.urandom(size)
        await storage.stage("job_1", io.BytesIO(data))
        assert place.files() == {"staged/job_1": size}
        assert await read(storage, "job_1") == data

    async def test_is_a_real_file_with_a_descriptor(self, storage: Storage) -> None:
        await storage.stage("job_1", io.BytesIO(b"audio"))
        async with storage.staged("job_1") as file:
            assert os.pread(file.fileno(), 100, 0) == b"audio"
            assert file.read() == b"audio"
        assert file.closed

    async def test_is_stored_from_its_start(self, storage: Storage) -> None:
        with tempfile.SpooledTemporaryFile() as file:
            file.write(b"audio")
            await storage.stage("job_1", file)
            assert not file.closed
        assert await read(storage, "job_1") == b"audio"

    async def test_is_replaced(self, storage: Storage, place: Place) -> None:
        await storage.stage("job_1", io.BytesIO(bytes(20 * MIB)))
        await storage.stage("job_1", io.BytesIO(b"new"))
        assert await read(storage, "job_1") == b"new"
        assert place.files() == {"staged/job_1": 3}

    async def test_missing(self, storage: Storage) -> None:
        await storage.check()  # as every process does that uses it
        with pytest.raises(StagedAudioMissing) as caught:
            await read(storage, "job_1")
        assert caught.value.fault == "input"
        await storage.stage("job_2", io.BytesIO(b"audio"))
        with pytest.raises(StagedAudioMissing):
            await read(storage, "job_1")
        assert not await storage.is_staged("job_1")
        assert not await storage.is_staged("job")  # as the beginning of another name
        assert await storage.is_staged("job_2")

    async def test_unstage_removes_it_and_does_not_mind_its_absence(
        self, storage: Storage, place: Place
    ) -> None:
        await storage.unstage("job_1")
        await storage.stage("job_1", io.BytesIO(b"audio"))
        await storage.unstage("job_1")
        await storage.unstage("job_1")
        assert place.files() == {}

    async def test_stays_readable_when_unstaged_meanwhile(self, storage: Storage) -> None:
        await storage.stage("job_1", io.BytesIO(b"audio"))
        async with storage.staged("job_1") as file:
            await storage.unstage("job_1")
            assert file.read() == b"audio"

    async def test_of_several_at_once_one_stays_whole(self, storage: Storage, place: Place) -> None:
        files = [bytes([number]) * (9 * MIB) for number in range(4)]
        await asyncio.gather(*(storage.stage("job_1", io.BytesIO(data)) for data in files))
        assert await read(storage, "job_1") in files
        assert place.files() == {"staged/job_1": 9 * MIB}

    async def test_other_hosts_see_it(self, storage: Storage, place: Place) -> None:
        other = Storage(place.url)
        await other.check()
        with pytest.raises(StagedAudioMissing):
            await read(other, "job_1")
        await storage.stage("job_1", io.BytesIO(b"audio"))
        assert await read(other, "job_1") == b"audio"


class TestBrokenWrites:
    @pytest.mark.parametrize("free_blocks", [0, 1, 2])
    async def test_a_cancelled_one_leaves_nothing(
        self, storage: Storage, place: Place, free_blocks: int
    ) -> None:
        file = SlowFile(bytes(20 * MIB), free_blocks=free_blocks)
        staging = asyncio.create_task(storage.stage("job_1", file))
        await asyncio.to_thread(file.reached.wait, 30)
        staging.cancel()
        await asyncio.sleep(0)
        staging.cancel()  # impatience must not leave the thread to itself
        await asyncio.sleep(0)
        assert not staging.done()
        file.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await staging
        assert place.files() == {}

    async def test_a_cancelled_one_leaves_what_was_there(
        self, storage: Storage, place: Place
    ) -> None:
        await storage.stage("job_1", io.BytesIO(b"old"))
        file = SlowFile(bytes(20 * MIB), free_blocks=2)
        staging = asyncio.create_task(storage.stage("job_1", file))
        await asyncio.to_thread(file.reached.wait, 30)
        assert await read(storage, "job_1") == b"old"
        staging.cancel()
        file.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await staging
        assert await read(storage, "job_1") == b"old"
        assert place.files() == {"staged/job_1": 3}

    async def test_one_whose_source_fails_leaves_nothing(
        self, storage: Storage, place: Place
    ) -> None:
        with pytest.raises(StorageUnavailable):
            await storage.stage("job_1", BrokenFile(bytes(20 * MIB)))
        assert place.files() == {}

    async def test_a_cancelled_read_closes_its_file(self, storage: Storage) -> None:
        await storage.stage("job_1", io.BytesIO(bytes(20 * MIB)))
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            reading = asyncio.create_task(read(storage, "job_1"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
        # Some more for connections and loops that live on; a leak of ours would make 20.
        assert len(os.listdir("/proc/self/fd")) < before + 15


class TestResults:
    async def test_come_back(self, storage: Storage, place: Place) -> None:
        assert await storage.read_result("job_1") is None
        await storage.write_result("job_1", b'{"a": 1}')
        assert place.files() == {"results/job_1.json": 8}
        assert await storage.read_result("job_1") == b'{"a": 1}'

    async def test_are_replaced_and_deleted(self, storage: Storage, place: Place) -> None:
        await storage.write_result("job_1", b"a long one")
        await storage.write_result("job_1", b"short")
        assert await storage.read_result("job_1") == b"short"
        await storage.delete_result("job_1")
        await storage.delete_result("job_1")
        assert await storage.read_result("job_1") is None
        assert place.files() == {}

    async def test_many_at_once(self, storage: Storage) -> None:
        await asyncio.gather(*(storage.write_result(f"j{n}", b"%d" % n) for n in range(20)))
        read = await asyncio.gather(*(storage.read_result(f"j{n}") for n in range(20)))
        assert read == [b"%d" % n for n in range(20)]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../secret", "a/b", "a\\b", "a.json", "a\0b", "ü", "a\n", "x" * 201]
)
async def test_what_cannot_be_a_job_id_is_refused(folder: FolderPlace, name: str) -> None:
    storage = Storage(folder.url)
    for attempt in (
        storage.stage(name, io.BytesIO(b"audio")),
        read(storage, name),
        storage.unstage(name),
        storage.write_result(name, b"{}"),
        storage.read_result(name),
        storage.delete_result(name),
    ):
        with pytest.raises(InvalidRequest):
            await attempt
    assert folder.files() == {}


async def test_the_longest_job_id_fits(storage: Storage) -> None:
    await storage.stage("x" * 200, io.BytesIO(b"audio"))
    await storage.write_result("x" * 200, b"{}")
    assert await storage.read_result("x" * 200) == b"{}"


class TestSweep:
    async def test_removes_what_no_job_wants(self, storage: Storage, place: Place) -> None:
        for name in ("kept", "lost"):
            await storage.stage(name, io.BytesIO(b"audio"))
            await storage.write_result(name, b"{}")
        asked = []

        async def keep(name: str) -> bool:
            asked.append(name)
            return name == "kept"

        assert await storage.sweep(keep_audio=keep, keep_result=keep, older_than_s=0) == 2
        assert set(asked) == {"kept", "lost"}
        assert place.files() == {"staged/kept": 5, "results/kept.json": 2}

    async def test_leaves_what_is_young(self, storage: Storage, place: Place) -> None:
        await storage.stage("job_1", io.BytesIO(b"audio"))
        await storage.write_result("job_1", b"{}")
        place.put("staged/.job_2.0123456789abcdef.part", b"half")
        assert (
            await storage.sweep(keep_audio=forget_all, keep_result=forget_all, older_than_s=3600)
            == 0
        )
        assert len(place.files()) == 3

    async def test_removes_what_broken_writes_left(self, storage: Storage, place: Place) -> None:
        place.put("staged/.job_1.0123456789abcdef.part", b"half")
        place.put("results/.job_1.json.0123456789abcdef.part", b"half")

        async def keep(name: str) -> bool:
            raise AssertionError("no job to ask for")

        assert await storage.sweep(keep_audio=keep, keep_result=keep, older_than_s=0) == 2
        assert place.files() == {}

    async def test_leaves_the_files_of_others_alone(self, storage: Storage, place: Place) -> None:
        others = ["staged/.gitkeep", "staged/a.wav", "staged/deep/job_1", "results/job_1", "job_1"]
        for path in others:
            place.put(path, b"precious")
        assert (
            await storage.sweep(keep_audio=forget_all, keep_result=forget_all, older_than_s=0) == 0
        )
        assert set(place.files()) == set(others)

    async def test_of_an_empty_storage(self, storage: Storage) -> None:
        assert (
            await storage.sweep(keep_audio=forget_all, keep_result=forget_all, older_than_s=0) == 0
        )

    async def test_ends_when_it_cannot_ask(self, storage: Storage, place: Place) -> None:
        await storage.stage("job_1", io.BytesIO(b"audio"))

        async def keep(name: str) -> bool:
            raise StorageUnavailable("the queue is away")

        with pytest.raises(StorageUnavailable, match="queue"):
            await storage.sweep(keep_audio=keep, keep_result=keep, older_than_s=0)
        assert len(place.files()) == 1

    async def test_goes_by_age(self, folder: FolderPlace) -> None:
        storage = Storage(folder.url)
        for name, age_s in (("old", 3700), ("young", 3500)):
            await storage.stage(name, io.BytesIO(b"audio"))
            path = folder.folder / "staged" / name
            written_s = path.stat().st_mtime
            os.utime(path, (written_s, written_s - age_s))
        assert (
            await storage.sweep(keep_audio=forget_all, keep_result=forget_all, older_than_s=3600)
            == 1
        )
        assert folder.files() == {"staged/young": 5}

    async def test_aborts_uploads_that_a_crash_left(self, bucket: BucketPlace) -> None:
        for key in ("some/prefix/staged/job_1", "elsewhere/job_1"):
            bucket.client.create_multipart_upload(Bucket=bucket.bucket, Key=key)
        storage = Storage(bucket.url)
        century_s = 3.2e9  # to moto every upload was begun in 2010
        assert (
            await storage.sweep(
                keep_audio=forget_all, keep_result=forget_all, older_than_s=century_s
            )
            == 0
        )
        assert (
            await storage.sweep(keep_audio=forget_all, keep_result=forget_all, older_than_s=0) == 1
        )
        assert bucket.files() == {"elsewhere/job_1 under way": 0}

    async def test_reads_listings_of_many_pages(self, bucket: BucketPlace) -> None:
        count = 3 * PAGE_KEYS
        for number in range(count):
            bucket.put(f"results/job_{number}.json", b"{}")
        bucket.put("results/last.json", b"{}")
        asked = set()

        async def keep(name: str) -> bool:
            asked.add(name)
            return name != "last"

        assert (
            await Storage(bucket.url).sweep(keep_audio=keep, keep_result=keep, older_than_s=0) == 1
        )
        assert len(asked) == count + 1


class TestCheck:
    async def test_leaves_nothing(self, storage: Storage, place: Place) -> None:
        await storage.check()
        await asyncio.gather(storage.check(), storage.check())
        assert place.files() == {}

    async def test_says_that_the_bucket_is_missing(self, bucket: BucketPlace) -> None:
        storage = Storage("s3://no-such-bucket")
        with pytest.raises(StorageUnavailable, match="does not exist"):
            await storage.check()
        with pytest.raises(StorageUnavailable, match="does not exist"):
            await storage.stage("job_1", io.BytesIO(bytes(20 * MIB)))
        with pytest.raises(StorageUnavailable, match="does not exist"):
            await storage.read_result("job_1")

    async def test_says_that_nobody_is_there(self, aws: Callable[[str], None]) -> None:
        aws("http://127.0.0.1:1")
        storage = Storage("s3://bucket")
        for attempt in (
            storage.check(),
            storage.stage("job_1", io.BytesIO(b"audio")),
            read(storage, "job_1"),
            storage.read_result("job_1"),
        ):
            with pytest.raises(StorageUnavailable) as caught:
                await attempt
            assert "127.0.0.1" not in str(caught.value)
            assert caught.value.fault == "ours"

    async def test_names_no_path(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        storage = Storage(f"file://{tmp_path}/file")
        with pytest.raises(EchoStreamError) as caught:
            await storage.check()
        assert str(tmp_path) not in str(caught.value)


@contextmanager
def server_that_answers(status: int, body: bytes) -> Iterator[str]:
    """An HTTP server with one answer to every request."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # for "Expect: 100-continue"

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class TestFaultsOfS3:
    @pytest.mark.parametrize(
        ("status", "code", "expected"),
        [
            (507, "XMinioStorageFull", StorageFull),
            (403, "QuotaExceeded", StorageFull),
            (403, "AccessDenied", StorageUnavailable),
            (500, "InternalError", StorageUnavailable),
        ],
    )
    @pytest.mark.parametrize("size", [10, 20 * MIB])
    async def test_are_translated(
        self,
        aws: Callable[[str], None],
        status: int,
        code: str,
        expected: type[EchoStreamError],
        size: int,
    ) -> None:
        body = f"<Error><Code>{code}</Code><Message>at /srv/disk1</Message></Error>".encode()
        with server_that_answers(status, body) as endpoint:
            aws(endpoint)
            with pytest.raises(expected) as caught:
                await Storage("s3://bucket").stage("job_1", io.BytesIO(bytes(size)))
        assert "/srv" not in str(caught.value)

    async def test_a_hung_server_is_asked_once_however_many_check(
        self, aws: Callable[[str], None]
    ) -> None:
        with socket.create_server(
            ("127.0.0.1", 0)
        ) as listener:  # the kernel accepts, nobody answers
            aws(f"http://127.0.0.1:{listener.getsockname()[1]}")
            storage = Storage("s3://bucket")
            checks = await asyncio.gather(
                *(storage.check() for _ in range(10)), return_exceptions=True
            )
            assert {str(check) for check in checks} == {"The storage does not answer."}
            listener.setblocking(False)
            # Open until the end: the client tries again as soon as its connection is closed.
            with listener.accept()[0], pytest.raises(BlockingIOError):
                listener.accept()


@contextmanager
def _small_disk(folder: Path) -> Iterator[None]:
    """A file system of 256 KiB, for root."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _may_mount(folder: Path) -> bool:
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        return False
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
    return True


class TestFullDisk:
    @pytest.fixture(params=["disk", "limit"])
    async def full(
        self, request: pytest.FixtureRequest, folder: FolderPlace, tmp_path: Path
    ) -> AsyncIterator[FolderPlace]:
        """No room for 300 KiB: on a full disk where we may mount one, and under a file limit."""
        disk = request.param == "disk" and _may_mount(tmp_path / "probe")
        with _small_disk(folder.folder) if disk else small_files():
            yield folder

    async def test_nothing_half_written_is_left(self, full: FolderPlace) -> None:
        storage = Storage(full.url)
        with pytest.raises(StorageFull) as caught:
            await storage.stage("job_1", io.BytesIO(bytes(300 * 1024)))
        assert str(full.folder) not in str(caught.value)
        assert caught.value.status == 507
        with pytest.raises(StorageFull):
            await storage.write_result("job_1", bytes(300 * 1024))
        assert full.files() == {}

    async def test_what_was_there_stays_and_what_fits_goes_on(self, full: FolderPlace) -> None:
        storage = Storage(full.url)
        await storage.stage("job_1", io.BytesIO(b"old"))
        with pytest.raises(StorageFull):
            await storage.stage("job_1", io.BytesIO(bytes(300 * 1024)))
        assert await read(storage, "job_1") == b"old"
        await storage.stage("job_2", io.BytesIO(bytes(100 * 1024)))
        assert full.files() == {"staged/job_1": 3, "staged/job_2": 100 * 1024}

    async def test_check_says_so(self, tmp_path: Path, folder: FolderPlace) -> None:
        if not _may_mount(tmp_path / "probe"):  # a limit on file sizes lets the small file through
            return
        with _small_disk(folder.folder):
            storage = Storage(folder.url)
            await storage.check()
            with pytest.raises(OSError, match="No space left"):
                (folder.folder / "filler").write_bytes(bytes(300 * 1024))
            with pytest.raises(StorageFull):
                await storage.check()


class TestUrls:
    @pytest.mark.parametrize("url", ["file://./data", "data", "file://data", "./data"])
    async def test_a_relative_folder_is_meant_from_where_we_started(
        self, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        storage = Storage(url)
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        await storage.stage("job_1", io.BytesIO(b"audio"))
        assert (tmp_path / "data" / "staged" / "job_1").read_bytes() == b"audio"

    async def test_an_absolute_folder(self, tmp_path: Path) -> None:
        for url in (f"file://{tmp_path}/a", f"{tmp_path}/a"):
            await Storage(url).write_result("job_1", url.encode())
            assert (tmp_path / "a" / "results" / "job_1.json").read_text() == url

    async def test_a_bucket_without_a_prefix(self, bucket: BucketPlace) -> None:
        storage = Storage(f"s3://{bucket.bucket}")
        await storage.stage("job_1", io.BytesIO(b"audio"))
        assert await read(storage, "job_1") == b"audio"
        assert bucket.files() == {"staged/job_1": 5}
        assert (
            await storage.sweep(keep_audio=forget_all, keep_result=forget_all, older_than_s=0) == 1
        )

    @pytest.mark.parametrize(
        "url", ["s3://", "memory://x", "ftp://host/x", "simplecache::s3://bucket", "nonsense://x"]
    )
    def test_what_is_neither_folder_nor_bucket_is_refused(self, url: str) -> None:
        with pytest.raises(ValueError, match="STORAGE_URL"):
            Storage(url)
