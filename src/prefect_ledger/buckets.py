"""Floor 3. Moves bytes to and from S3 on an s3fs file system: large objects in parts, several at once, hashed on the way.

Nothing shows under a name before its upload is whole: what fails is aborted, what is killed was never finished. A part that fails is
sent or asked for again by the client, ``TRIES`` times. Parts wait in memory: at most ``PARTS`` of ``PART_BYTES``, of all transfers
together. Trouble on the other side comes out as :class:`Trouble`; what fails here, such as a full disk, as it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import os
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

from prefect_ledger.roots import Upload
from prefect_ledger.transfer import Found

PART_BYTES = 16 << 20
PARTS = min(8, 2 * (os.cpu_count() or 4))  # on two cores more at once was slower: 141 against 165 MiB/s up
SMALL = 1 << 20  # objects up to here are not counted among those that wait in memory
MOST_PARTS = 9_000  # of 10,000 that S3 takes: a file may grow while it is read
TRIES = 5
CONNECTIONS = 48
_PAGE = 1_000  # keys that S3 deletes in one call
_CHANGES = 3  # times that an object may be replaced while it is read
# How s3fs's client is set up unless the user says otherwise; a stalled connection is given up after read_timeout seconds.
CLIENT: dict[str, Any] = {
    "connect_timeout": 10,
    "read_timeout": 30,
    "max_pool_connections": CONNECTIONS,
    "retries": {"mode": "standard", "total_max_attempts": TRIES},
    # What is sent carries a checksum that the server checks; a second hash of it in the signature would only cost time: what somebody
    # changes on the way, over http, does not match the digest in the store when it is read. Over https nobody signs it anyhow.
    "s3": {"payload_signing_enabled": False},
}

_T = TypeVar("_T")
Read = Callable[[memoryview], int]
Pieces = list[bytes]  # bytes as they came, not put together: that would copy them once more
Take = Callable[[Pieces], Any]


class Trouble(Exception):
    """The other side did not do what was asked; ``__cause__`` says why, ``code`` is S3's word for it, if it said one."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class _Changed(Exception):
    """The object was replaced while it was read."""


class Blocks:
    """A source cut into blocks, each read once and hashed. Buffers are used again: clearing new ones costs as much as reading."""

    def __init__(self, read: Read, block_bytes: int) -> None:
        self.size, self.digest, self.last, self.ended = 0, hashlib.sha256(), 0, False
        self.free: list[io.BytesIO] = []
        self._read, self._bytes = read, block_bytes

    def next(self) -> io.BytesIO:
        """The next block, ``last`` bytes of it; ``ended`` says that it was not a whole one."""
        body = self.free.pop() if self.free else io.BytesIO(bytes(self._bytes))
        with body.getbuffer() as view:
            self.last = 0
            while self.last < len(view) and (count := self._read(view[self.last :])):
                self.last += count
            self.digest.update(view[: self.last])
        body.truncate(self.last)
        body.seek(0)
        self.size += self.last
        self.ended = self.last < self._bytes
        return body


class Bucket:
    """Transfers on one s3fs file system. Call it from any thread but the file system's own."""

    def __init__(self, fs: Any) -> None:
        self.fs = fs
        self._waiting = asyncio.Semaphore(PARTS)

    # --- up -------------------------------------------------------------------------------------------------------

    def put(self, target: str, read: Read, size: int, progress: Callable[[int], None]) -> tuple[int, str]:
        """Store what ``read`` gives until it gives nothing, about ``size`` bytes; gives the size and the sha256 of what was sent."""
        if size <= SMALL:
            data = _whole(read, size)
            self._run(self._call("put_object", **self._place(target), Body=data))
            progress(len(data))
            return len(data), hashlib.sha256(data).hexdigest()
        blocks = Blocks(read, max(PART_BYTES, -(-size // MOST_PARTS)))
        self._run(self._put(target, blocks, progress))
        return blocks.size, blocks.digest.hexdigest()

    async def _put(self, target: str, blocks: Blocks, progress: Callable[[int], None]) -> None:
        place = self._place(target)
        async with self._waiting:
            first = await asyncio.to_thread(blocks.next)
            if blocks.ended:
                await self._call("put_object", **place, Body=first)
                return progress(blocks.size)
        upload = place | {"UploadId": (await self._call("create_multipart_upload", **place))["UploadId"]}
        try:
            tags = await self._send_parts(upload, first, blocks, progress)
            await self._complete(upload, tags, blocks.size)
        except BaseException:
            await asyncio.shield(self._abort(upload))
            raise

    async def _send_parts(self, upload: dict[str, str], body: io.BytesIO, blocks: Blocks, progress: Callable[[int], None]) -> list[str]:
        async def send(number: int, body: io.BytesIO, size: int) -> str:
            answer = await self._call("upload_part", **upload, PartNumber=number, Body=body)
            blocks.free.append(body)
            progress(size)
            return str(answer["ETag"])

        tasks: list[asyncio.Task[str]] = []
        try:
            async with asyncio.TaskGroup() as group:
                while blocks.last:
                    await self._waiting.acquire()
                    tasks.append(group.create_task(send(len(tasks) + 1, body, blocks.last)))
                    tasks[-1].add_done_callback(lambda _: self._waiting.release())
                    body = await asyncio.to_thread(blocks.next)  # read while the one before is sent
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from several.exceptions[0].__cause__
        return [task.result() for task in tasks]

    async def _complete(self, upload: dict[str, str], tags: list[str], size: int) -> None:
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
        try:
            await self._call("complete_multipart_upload", **upload, MultipartUpload={"Parts": parts})
        except Trouble as trouble:
            if trouble.code != "NoSuchUpload":
                raise
            # Asked again after an answer that was lost: then the object stands there, with as many parts.
            found = await self._call("head_object", Bucket=upload["Bucket"], Key=upload["Key"])
            if found["ContentLength"] != size or not found["ETag"].strip('"').endswith(f"-{len(tags)}"):
                raise

    async def _abort(self, upload: dict[str, str]) -> None:
        with contextlib.suppress(Trouble):  # what is left is invisible, and gc finds it
            await self._call("abort_multipart_upload", **upload)

    # --- down -----------------------------------------------------------------------------------------------------

    def fetch(self, target: str, take: Take, restart: Callable[[], None]) -> None:
        """Give the bytes at ``target`` to ``take``, in order; all of one version. ``restart``: forget what was given, it begins anew.

        Raises:
            FileNotFoundError: nothing is there.
        """
        for turn in range(_CHANGES):
            first, size, tag = self._run(self._begin(target))
            take(first)
            if size <= PART_BYTES:
                return
            try:
                self._run(self._rest(target, PART_BYTES, size, tag, take))
                return
            except _Changed:
                if turn == _CHANGES - 1:
                    raise Trouble("PreconditionFailed") from None
                restart()

    async def _begin(self, target: str) -> tuple[Pieces, int, str]:
        """The first part, the size of the whole and the tag of this version."""

        async def ask() -> tuple[Pieces, int, str]:
            answer = await self._call("get_object", **self._place(target))
            size = int(answer["ContentLength"])
            return await _pieces(answer["Body"], min(PART_BYTES, size)), size, str(answer["ETag"])

        return await self._again(ask)

    async def _rest(self, target: str, start: int, size: int, tag: str, take: Take) -> None:
        async def part(low: int) -> Pieces:
            await self._waiting.acquire()
            try:
                return await self._range(target, low, min(low + PART_BYTES, size), tag)
            except BaseException:
                self._waiting.release()
                raise

        lows, jobs = iter(range(start, size, PART_BYTES)), deque[asyncio.Task[Pieces]]()
        try:
            while True:
                while len(jobs) < PARTS and (low := next(lows, None)) is not None:
                    jobs.append(asyncio.ensure_future(part(low)))
                if not jobs:
                    return
                data = await jobs[0]
                jobs.popleft()
                try:
                    await asyncio.to_thread(take, data)
                finally:
                    self._waiting.release()
        finally:
            for job in jobs:
                job.cancel()
            for found in await asyncio.gather(*jobs, return_exceptions=True):
                if isinstance(found, list):
                    self._waiting.release()

    async def _range(self, target: str, low: int, high: int, tag: str) -> Pieces:
        async def ask() -> Pieces:
            answer = await self._call("get_object", **self._place(target), Range=f"bytes={low}-{high - 1}", IfMatch=tag)
            return await _pieces(answer["Body"], high - low)

        try:
            return await self._again(ask)
        except FileNotFoundError:
            raise _Changed from None
        except Trouble as trouble:
            if trouble.code in ("PreconditionFailed", "412", "InvalidRange"):
                raise _Changed from None
            raise

    async def _again(self, ask: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Ask anew when a connection ends in the middle of an answer: the client's own tries end where the answer begins."""
        from aiohttp import ClientError
        from botocore.exceptions import HTTPClientError, IncompleteReadError

        for turn in range(TRIES):
            try:
                return await ask()
            except (ClientError, HTTPClientError, IncompleteReadError, ConnectionError, TimeoutError) as error:
                if turn == TRIES - 1:
                    raise Trouble(type(error).__name__) from error
                await asyncio.sleep(0.1 * 2**turn)
        raise AssertionError("unreachable")

    # --- what is there ----------------------------------------------------------------------------------------------

    def exists(self, target: str) -> bool:
        """Whether an object stands there."""
        return self.found(target) is not None

    def found(self, target: str) -> Found | None:
        """The object that stands there, with its size and when it was written."""
        try:
            said = self._run(self._call("head_object", **self._place(target)))
        except FileNotFoundError:
            return None
        return Found(target, int(said["ContentLength"]), _microseconds(said["LastModified"]))

    def objects(self, target: str) -> Iterator[Found]:
        """Every object below ``target``, in the order of its path, which is relative to ``target``."""
        place = self._place(target)
        prefix = f"{place['Key']}/" if place["Key"] else ""
        more: dict[str, str] = {}
        while True:
            page = self._run(self._call("list_objects_v2", Bucket=place["Bucket"], Prefix=prefix, **more))
            for item in page.get("Contents", []):
                if not item["Key"].endswith("/"):
                    yield Found(item["Key"][len(prefix) :], int(item["Size"]), _microseconds(item["LastModified"]))
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def remove(self, targets: Sequence[str]) -> None:
        """Delete these objects; one that is not there is no error."""
        for low in range(0, len(targets), _PAGE):
            places = [self._place(target) for target in targets[low : low + _PAGE]]
            doomed = {"Objects": [{"Key": place["Key"]} for place in places], "Quiet": True}
            answer = self._run(self._call("delete_objects", Bucket=places[0]["Bucket"], Delete=doomed))
            if errors := answer.get("Errors"):
                raise Trouble(str(errors[0].get("Code", ""))) from OSError(f"{errors[0].get('Key')}: {errors[0].get('Message')}")

    def uploads(self, target: str) -> list[Upload]:
        """Uploads in parts below ``target`` that were not finished: those under way, and what killed processes left."""
        place = self._place(target)
        prefix = f"{place['Key']}/" if place["Key"] else ""
        found, more = list[Upload](), dict[str, str]()
        while True:
            page = self._run(self._call("list_multipart_uploads", Bucket=place["Bucket"], Prefix=prefix, **more))
            for item in page.get("Uploads", []):
                if item["Key"].startswith(prefix):
                    found.append(Upload(item["Key"][len(prefix) :], item["UploadId"], _microseconds(item["Initiated"])))
            if not page.get("IsTruncated") or not page.get("NextKeyMarker"):
                return found
            more = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page.get("NextUploadIdMarker", "")}

    def abort(self, target: str, upload: str) -> None:
        """Give up an upload in parts; one that is not there any more is no error."""
        self._run(self._abort({**self._place(target), "UploadId": upload}))

    # --- calls ------------------------------------------------------------------------------------------------------

    def _place(self, target: str) -> dict[str, str]:
        bucket, key, _ = self.fs.split_path(target)
        return {"Bucket": bucket, "Key": key}

    async def _call(self, method: str, **words: Any) -> Any:
        try:
            return await self.fs._call_s3(method, **words)
        except Exception as error:
            code = _code(error)
            if isinstance(error, FileNotFoundError) and code not in ("NoSuchBucket", "NoSuchUpload"):
                raise
            raise Trouble(code) from error

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Have the file system's loop do it, and give it up when this thread is interrupted."""
        future = asyncio.run_coroutine_threadsafe(work, self.fs.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise


async def _pieces(body: Any, wanted: int) -> Pieces:
    """The next ``wanted`` bytes of an answer; what may follow is not read."""
    pieces: Pieces = []
    with contextlib.closing(body):
        while wanted > 0 and (piece := await body.read(wanted)):
            pieces.append(piece)
            wanted -= len(piece)
    if wanted:
        raise ConnectionError(f"the answer ended {wanted} bytes early")
    return pieces


def _whole(read: Read, size: int) -> bytes:
    """All that ``read`` gives, about ``size`` bytes of it."""
    room, parts = memoryview(bytearray(size + 1)), list[bytes]()
    while count := read(room):
        parts.append(bytes(room[:count]))
    return b"".join(parts)


def _code(error: BaseException) -> str:
    for one in (error, error.__cause__):
        response = getattr(one, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
    return type(error).__name__


def _microseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)
