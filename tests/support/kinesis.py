"""Moto's Kinesis, made to do what AWS documents where a shard is split or merged.

Moto moves the records of a shard to its children, goes on giving iterators for it, and goes on putting records into it.
On AWS records stay where they are, the shard is closed, and once it is read out there is no next iterator.
"""

from __future__ import annotations

import functools
import importlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from evervalue.collector.streams.settings import StreamSettings
from tests.support.s3 import KEYS, UNSET, moto_server
from tests.support.streaming import settings

models = importlib.import_module("moto.kinesis.models")
ACCOUNT = "123456789012"
REGION = "us-east-1"


def _keeping(original: Callable[..., None], *names: str) -> Callable[..., None]:
    @functools.wraps(original)
    def kept(stream: Any, *shard_ids: str, **named: str) -> None:
        closing = [
            stream.shards[x]
            for x in (*shard_ids, *(named[n] for n in names if n in named))
            if x in stream.shards
        ]
        records = [shard.records for shard in closing]
        for shard in closing:
            shard.records = OrderedDict()
        original(stream, *shard_ids, **named)
        for shard, those in zip(closing, records, strict=True):
            shard.records = those

    return kept


def _open_ones(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def found(stream: Any, *keys: str) -> Any:
        whole = stream.shards
        stream.shards = {name: shard for name, shard in whole.items() if shard.is_open}
        try:
            return original(stream, *keys)
        finally:
            stream.shards = whole

    return found


def _ending(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def ends(backend: Any, stream_arn: Any, shard_iterator: str, limit: Any) -> Any:
        following, records, behind = original(backend, stream_arn, shard_iterator, limit)
        name, shard_id, last = models.decompose_shard_iterator(following)
        shard = backend.streams[name].shards[shard_id]
        is_out = not shard.is_open and int(last) >= shard.get_max_sequence_number()
        return (None if is_out else following), records, behind

    return ends


class Kinesis:
    """A stream `clicks`."""

    def __init__(self, address: str, shards: int) -> None:
        boto3 = importlib.import_module("boto3")
        self.url = f"http://{address}"
        self.client = boto3.client(
            "kinesis", region_name=REGION, endpoint_url=self.url, aws_access_key_id="testing",
            aws_secret_access_key="testing-secret",
        )  # fmt: skip
        self.make(shards)

    def make(self, shards: int) -> None:
        self.client.create_stream(StreamName="clicks", ShardCount=shards)

    def settings(self, **table: Any) -> StreamSettings:
        return settings(f"kinesis://{REGION}/clicks?endpoint={self.url}", **table)

    def put(self, bodies: Sequence[bytes], key: str | None = None) -> None:
        for first in range(0, len(bodies), 500):
            records = [
                {"Data": b, "PartitionKey": key or f"{first + n}"}
                for n, b in enumerate(bodies[first : first + 500])
            ]
            answer = self.client.put_records(StreamName="clicks", Records=records)
            assert answer["FailedRecordCount"] == 0

    @property
    def stream(self) -> Any:
        """Moto's own."""
        return models.kinesis_backends[ACCOUNT][REGION].streams["clicks"]

    def split(self, shard: str) -> None:
        found = self.stream.shards[shard]
        middle = (found.starting_hash + found.ending_hash) // 2
        self.client.split_shard(StreamName="clicks", ShardToSplit=shard, NewStartingHashKey=str(middle))

    def merge(self, one: str, other: str) -> None:
        self.client.merge_shards(StreamName="clicks", ShardToMerge=one, AdjacentShardToMerge=other)


@contextmanager
def as_aws_does(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Shards that are split or merged keep their records and end."""
    stream, backend = models.Stream, models.KinesisBackend
    patch.setattr(stream, "split_shard", _keeping(stream.split_shard, "shard_to_split"))
    patch.setattr(
        stream, "merge_shards", _keeping(stream.merge_shards, "shard_to_merge", "adjacent_shard_to_merge")
    )
    patch.setattr(stream, "get_shard_for_key", _open_ones(stream.get_shard_for_key))
    patch.setattr(backend, "get_records", _ending(backend.get_records))
    yield


@contextmanager
def kinesis_server() -> Iterator[str]:
    """host:port of moto's server, for a module of tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in KEYS.items():
            patch.setenv(name, value)
        for name in (*UNSET, "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        with as_aws_does(patch), moto_server() as address:
            yield address


@contextmanager
def stream(address: str, shards: int = 2) -> Iterator[Kinesis]:
    """A new, empty stream."""
    models.kinesis_backends[ACCOUNT][REGION].streams.clear()
    found = Kinesis(address, shards)
    try:
        yield found
    finally:
        found.client.close()
