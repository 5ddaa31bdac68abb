"""Change files of Debezium and DMS: each counts once, in whatever order they come, and not before they are whole."""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest

from evervalue.core.errors import InputError
from evervalue.core.progress import Silent
from evervalue.sources import raw_zone
from evervalue.sources.changes import debezium
from evervalue.sources.changes.files import ChangeFilesFeed
from evervalue.sources.feed import Context
from evervalue.sources.report import SourceReport
from evervalue.sources.systems import TableSettings
from evervalue.warehouse.duckdb import connect
from tests.support.s3 import Store


class Folder:
    """A folder of change files and a warehouse."""

    def __init__(self, base: Path, format: str, pattern: str, key: tuple[str, ...] = ("id",)) -> None:
        self.base = base
        self.con = connect(threads=1)
        raw_zone.ensure(self.con)
        self.feed = ChangeFilesFeed("crm.orders", "crm", TableSettings(path=pattern, key=key), format)
        self.runs = itertools.count(1)
        (base / "tmp").mkdir(exist_ok=True)

    def write(self, name: str, content: str | bytes) -> None:
        path = self.base / "in" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def load(self, *, full_refresh: bool = False) -> SourceReport:
        report = SourceReport("crm.orders", "")
        run_id = f"r{next(self.runs)}"
        known_at = dt.datetime(2024, 1, 1)
        with raw_zone.transaction(self.con):
            raw_zone.note_load(self.con, run_id, known_at, "run")
            context = Context(
                self.con, self.base, run_id, known_at, Silent(), self.base / "tmp", full_refresh
            )
            self.feed.bring(context, report)
        found = self.con.execute("select rows_read from raw.files").fetchone()
        assert found is None or found[0] == len(self.rows("1"))
        return report

    def rows(self, columns: str = "*") -> list[tuple[Any, ...]]:
        return self.con.execute(f'select {columns} from raw."crm.orders" order by all').fetchall()


def event(op: str, lsn: int, before: Any = None, after: Any = None, **more: Any) -> str:
    envelope = {
        "before": before,
        "after": after,
        "op": op,
        "source": {"lsn": lsn, "ts_ms": 1},
        "ts_ms": 2,
    } | more
    return json.dumps(envelope) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path, "debezium", "in/*.json")


def test_events_are_applied_and_repeated_files_are_not(folder: Folder) -> None:
    one = (
        event("r", 5, None, {"id": 1, "amount": 1.10, "name": "a"})
        + event("c", 6, None, {"id": 2, "amount": 2.5, "name": 'ü"\n'})
        + "null\n"
        + event("u", 7, {"id": 2}, {"id": 2, "amount": 3, "name": None})
    )
    folder.write("1.json", one)
    assert folder.load().changes["inserted"] == 2
    assert folder.rows("id, amount, name") == [(1, "1.1", "a"), (2, "3", None)]
    again = folder.load()
    assert again.files_unchanged == ["in/1.json"]
    folder.write("copy.json", one)
    assert folder.load().files_same_content == {"in/copy.json": "in/1.json"}
    # The same events in another file, as a connector writes them that was restarted.
    folder.write("2.json", one + event("d", 9, {"id": 1}, None))
    third = folder.load()
    assert (third.changes["repeated"], third.changes["deleted"]) == (3, 1)
    assert folder.rows("id") == [(2,)]


def test_files_in_any_order_give_the_same_rows(tmp_path: Path) -> None:
    rng = random.Random(3)
    lines = []
    for lsn in range(1, 120):
        key = rng.randint(1, 8)
        kind = rng.choice("cuud")
        row = {"id": key, "n": lsn}
        lines.append(event(kind, lsn, row if kind == "d" else None, None if kind == "d" else row))
    files = [lines[i : i + 25] for i in range(0, len(lines), 25)]
    found = []
    straight = list(range(len(files)))
    for way, order in enumerate((straight, straight[::-1], rng.sample(straight, len(files)))):
        (base := tmp_path / str(way)).mkdir()
        folder = Folder(base, "debezium", "in/*.json")
        for place in order:
            folder.write(f"{place}.json", "".join(files[place]))
            folder.load()
        found.append(folder.rows("id, n, _lsn"))
        rebuilt = folder.con.execute("select live_rows from raw.keyed").fetchone()
        assert rebuilt == (len(found[0]),)
    assert found[0] == found[1] == found[2]
    assert found[0]


def test_a_file_that_is_cut_off_waits(folder: Folder) -> None:
    whole = event("c", 1, None, {"id": 1, "n": 1}) + event("c", 2, None, {"id": 2, "n": 1})
    folder.write("1.json", event("c", 3, None, {"id": 3, "n": 1}))
    folder.write("2.json", whole[:-20])
    report = folder.load()
    assert "not written to the end" in report.said[0]
    assert folder.rows("id") == [(3,)]
    folder.write("2.json", whole)
    assert folder.load().files_new == ["in/2.json"]
    assert folder.rows("id") == [(1,), (2,), (3,)]


def test_a_packed_file_that_is_cut_off_waits(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "debezium", "in/*.json.gz")
    packed = gzip.compress(
        "".join(event("c", n, None, {"id": n, "x": str(n) * 50}) for n in range(200)).encode()
    )
    folder.write("0.json.gz", gzip.compress(event("c", 1, None, {"id": 1000, "x": ""}).encode()))
    folder.write("1.json.gz", packed[: len(packed) // 2])
    assert "not written to the end" in folder.load().said[0]
    folder.write("1.json.gz", packed)
    folder.load()
    assert len(folder.rows("id")) == 201


def test_broken_json_in_the_middle_is_an_error(folder: Folder) -> None:
    folder.write("1.json", event("c", 1, None, {"id": 1}) + '{"op": \n' + event("c", 2, None, {"id": 2}))
    with pytest.raises(InputError, match="line 2 of in/1.json is no JSON"):
        folder.load()


def test_flattened_events_are_refused(folder: Folder) -> None:
    folder.write("1.json", '{"id": 1, "__op": "c"}\n')
    with pytest.raises(InputError, match="ExtractNewRecordState"):
        folder.load()


def test_unavailable_values_are_taken_from_the_version_before(folder: Folder) -> None:
    folder.write("1.json", event("u", 5, None, {"id": 1, "n": 2, "long": debezium.UNAVAILABLE}))
    report = folder.load()
    assert report.changes["incomplete"] == 1
    assert folder.rows("id") == []
    folder.write("0.json", event("c", 4, None, {"id": 1, "n": 1, "long": "text"}))
    folder.load()
    assert folder.rows("id, n, long") == [(1, 2, "text")]


def test_types_by_schema(tmp_path: Path) -> None:
    fields = [
        {"field": "id", "type": "int64"},
        {"field": "amount", "type": "bytes", "name": "org.apache.kafka.connect.data.Decimal",
         "parameters": {"scale": "2", "connect.decimal.precision": "10"}},
        {"field": "free", "type": "struct", "name": "io.debezium.data.VariableScaleDecimal"},
        {"field": "day", "type": "int32", "name": "io.debezium.time.Date"},
        {"field": "at", "type": "int64", "name": "io.debezium.time.MicroTimestamp"},
        {"field": "ms", "type": "int64", "name": "io.debezium.time.Timestamp"},
        {"field": "zoned", "type": "string", "name": "io.debezium.time.ZonedTimestamp"},
        {"field": "clock", "type": "int64", "name": "io.debezium.time.MicroTime"},
        {"field": "raw", "type": "bytes"},
        {"field": "flag", "type": "boolean"},
    ]  # fmt: skip
    schema = {
        "type": "struct",
        "fields": [{"field": "before", "fields": fields}, {"field": "after", "fields": fields}],
    }

    def packed(n: int) -> str:
        return base64.b64encode(n.to_bytes(8, "big", signed=True)).decode()

    row = {
        "id": 9007199254740993, "amount": packed(-12345), "free": {"scale": 3, "value": packed(5)},
        "day": 19723, "at": 1704067200123456, "ms": 1704067200123, "zoned": "2024-01-01T00:00:00.5Z",
        "clock": 3_600_000_001, "raw": base64.b64encode(b"\x00\xff").decode(), "flag": True,
    }  # fmt: skip
    folder = Folder(tmp_path, "debezium", "in/*.json")
    payload = {
        "before": None,
        "after": row,
        "op": "c",
        "source": {"file": "binlog.000012", "pos": 4, "row": 0},
    }
    folder.write("1.json", json.dumps({"schema": schema, "payload": payload}) + "\n")
    folder.load()
    found = folder.con.execute(
        "select columns(c -> not starts_with(c, '_'))::varchar from raw.\"crm.orders\""
    ).fetchone()
    assert found == (
        "9007199254740993", "-123.45", "0.005", "2024-01-01", "2024-01-01 00:00:00.123456",
        "2024-01-01 00:00:00.123", "2024-01-01 00:00:00.5+00", "01:00:00.000001", "\\x00ff", "true",
    )  # fmt: skip
    types = dict(
        folder.con.execute('select column_name, column_type from (describe raw."crm.orders")').fetchall()
    )
    assert types["amount"] == "DECIMAL(10,2)"
    assert types["day"] == "DATE"
    stored = dict(folder.con.execute("select column_name, stored_type from raw.columns").fetchall())
    assert stored["free"] == "number"
    assert folder.rows("_lsn") == [((12 << 32) + 4,)]


@pytest.mark.parametrize(
    ("source", "op", "where"),
    [
        ({"lsn": 7}, "u", (7, 1)),
        ({"lsn": 7, "snapshot": "true"}, "r", (7, 0)),
        ({"file": "b.000002", "pos": 5, "row": 3}, "u", ((2 << 32) + 5, 7)),
        (
            {"change_lsn": "00000027:00000758:0005", "event_serial_no": 2},
            "u",
            ((0x27 << 32) + 0x758, (5 << 24) + 5),
        ),
        ({"ts_ms": 4}, "u", (4000, 23)),
    ],
)
def test_positions(source: dict[str, Any], op: str, where: tuple[int, int]) -> None:
    assert debezium.position(source, op, "here", 11) == where


def test_no_position_is_an_error() -> None:
    with pytest.raises(InputError, match="no position"):
        debezium.position({}, "u", "here", 1)


def test_dms_loads_and_changes(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "dms", "in/*.csv")
    folder.write("LOAD00000001.csv", 'Op,id,name\nI,1,"a, ""b"""\nI,2,b\n')
    folder.write("20240102-101500123.csv", "Op,id,name\nU,1,new\nI,3,c\nD,3,c\n")
    report = folder.load()
    assert report.changes["inserted"] == 2
    assert folder.rows("id, name") == [("1", "new"), ("2", "b")]
    # An older file that comes late changes nothing that is newer.
    folder.write("20240101-101500123.csv", "Op,id,name\nU,1,older\nU,2,newer\n")
    late = folder.load()
    assert (late.changes["late"], late.changes["updated"]) == (1, 1)
    assert folder.rows("id, name") == [("1", "new"), ("2", "newer")]


def test_dms_in_the_order_of_its_sequence(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "dms", "in/*.csv")
    sequence = "2024010112000000{:019d}"
    folder.write("LOAD1.csv", "id,transact_seq,name\n1,,first\n")
    folder.write("b.csv", f"Op,id,transact_seq,name\nU,1,{sequence.format(8)},second\n")
    folder.write("a.csv", f"Op,id,transact_seq,name\nU,1,{sequence.format(9)},third\n")
    folder.load()
    assert folder.rows("id, name, _ordinal") == [("1", "third", 9)]


def test_dms_faults(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "dms", "in/*.csv")
    folder.write("20240102-101500123.csv", "1,x\n2,y\n")
    with pytest.raises(InputError, match="AddColumnName"):
        folder.load()
    folder.write("20240102-101500123.csv", "Op,id\nX,1\n")
    with pytest.raises(InputError, match="operation 'X'"):
        folder.load()
    folder.write("20240102-101500123.csv", "Op,id\nI,1\nI,2")
    assert "not written to the end" in folder.load().said[0]
    folder.write("20240102-101500123.csv", "Op,id\nI,1\nI,2\n")
    folder.write("LOAD1.csv", "Op,id\nI,5\n")
    folder.load()
    folder.write("LOAD1.csv", "Op,id\nI,6\n")
    with pytest.raises(InputError, match="was written again"):
        folder.load()
    folder.load(full_refresh=True)
    assert folder.rows("id") == [("1",), ("2",), ("6",)]


def test_dms_parquet(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "dms", "in/*.parquet")
    folder.write("LOAD1.parquet", b"")
    target = tmp_path / "in" / "LOAD1.parquet"
    folder.con.execute(
        f"copy (select 1 as id, 1.50::decimal(10,2) as amount union all select 2, 2.5) to '{target}' (format parquet)"
    )
    change = tmp_path / "in" / "20240102-101500123.parquet"
    folder.con.execute(
        f"copy (select 'D' as \"Op\", 1 as id, null::decimal(10,2) as amount) to '{change}' (format parquet)"
    )
    folder.load()
    assert [(r[0], str(r[1])) for r in folder.rows("id, amount")] == [(2, "2.50")]
    whole = change.read_bytes()
    late = tmp_path / "in" / "20240103-101500123.parquet"
    late.write_bytes(whole[:-10])
    assert "not written to the end" in folder.load().said[0]


def test_the_newest_commit_tells_how_far_behind_files_of_debezium_are(folder: Folder) -> None:
    def at(second: int) -> dict[str, Any]:
        made = dt.datetime(2023, 12, 31, 23, 59, second, 250_000, dt.UTC)
        return {"source": {"lsn": second, "ts_ms": round(made.timestamp() * 1000)}}

    folder.write(
        "1.json", event("c", 6, None, {"id": 1}, **at(30)) + event("c", 5, None, {"id": 2}, **at(20))
    )
    assert folder.load().behind_seconds == 29.75
    assert folder.load().behind_seconds == 29.75, "nothing came"
    folder.write("0.json", event("c", 4, None, {"id": 3}, **at(10)))
    assert folder.load().behind_seconds == 29.75, "what comes late is no news"
    folder.write("2.json", event("u", 9, None, {"id": 3}, **at(59)))
    assert folder.load().behind_seconds == 0.75
    assert debezium.committed_at({"ts_ms": 0}) is None
    assert debezium.committed_at({"ts_ms": 10**18}) is None


@pytest.mark.parametrize(
    ("head", "cell", "behind"),
    [
        ("transact_seq", f"2023123123593000{7:019d}", 30),
        ("dms_timestamp", "2023-12-31 23:59:58.500000", 1.5),
        ("transact_seq", f"{7:035d}", None),
        ("AR_H_TIMESTAMP", "soon", None),
    ],
)
def test_dms_tells_its_newest_commit_where_it_says_when_that_was(
    tmp_path: Path, head: str, cell: str, behind: float | None
) -> None:
    folder = Folder(tmp_path, "dms", "in/*.csv")
    folder.write("20240101-000000000.csv", f"Op,id,{head}\nI,1,{cell}\n")
    assert folder.load().behind_seconds == behind


@pytest.mark.parametrize("packed", [False, True])
def test_objects_of_changes_are_fetched_once(s3: Store, tmp_path: Path, packed: bool) -> None:
    def put(key: str, text: str) -> None:
        s3.put(
            f"cdc/{key}{'.gz' if packed else ''}", gzip.compress(text.encode(), mtime=0) if packed else text
        )

    def fetched() -> list[str]:
        return [key.removesuffix(".gz") for key in s3.fetched()]

    folder = Folder(tmp_path, "debezium", f"s3://crm/cdc/*.json{'.gz' if packed else ''}")
    one = event("c", 5, None, {"id": 1, "amount": 1})
    put("1.json", one)
    put("2.json", event("c", 6, None, {"id": 2, "amount": 2}))
    put("copy.json", one)
    assert folder.load().changes["inserted"] == 2
    assert fetched() == ["cdc/1.json", "cdc/2.json", "cdc/copy.json"]
    again = folder.load()
    assert (fetched(), len(again.files_unchanged), len(again.files_same_content)) == ([], 2, 1)
    # New content, the same bytes written anew, and another object: only these are asked for.
    put("2.json", event("u", 7, None, {"id": 2, "amount": 3}))
    put("3.json", event("c", 8, None, {"id": 3, "amount": 4}))
    folder.con.execute("update raw.change_objects set modified_at = '2020-01-01' where path like '%copy%'")
    folder.load()
    assert fetched() == ["cdc/2.json", "cdc/3.json", "cdc/copy.json"]
    assert folder.rows("id, amount") == [(1, 1), (2, 3), (3, 4)]
    folder.load()
    assert fetched() == []
    folder.load(full_refresh=True)
    assert len(fetched()) == 4
    assert folder.rows("id, amount") == [(1, 1), (2, 3), (3, 4)]


def test_an_object_that_is_not_written_to_the_end_is_looked_at_until_it_is(s3: Store, tmp_path: Path) -> None:
    folder = Folder(tmp_path, "debezium", "s3://crm/cdc/*.json")
    whole = event("c", 5, None, {"id": 1, "amount": 1})
    s3.put("cdc/1.json", whole[:-10])
    assert "not written to the end" in " ".join(folder.load().said)
    assert "not written to the end" in " ".join(folder.load().said)
    s3.put("cdc/1.json", whole)
    assert folder.load().changes["inserted"] == 1
    s3.fetched()
    folder.load()
    assert s3.fetched() == []
