"""The servers of the tests: real, restartable, and with passwords that count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pymysql  # type: ignore[import-untyped]
import pytest

if TYPE_CHECKING:
    from tests.support.mariadb import MariaDB
    from tests.support.postgres import Postgres


def test_postgres_keeps_what_was_committed_over_a_crash(postgres: Postgres) -> None:
    postgres.fresh_database("crash")
    postgres.execute("create table kept (n int); insert into kept values (1)", "crash")
    port = postgres.port
    postgres.restart(immediate=True)
    assert postgres.execute("select n from kept", "crash") == [(1,)]
    assert (postgres.port, postgres.execute("show wal_level")) == (port, [("logical",)])


def test_postgres_asks_for_the_password(postgres: Postgres) -> None:
    postgres.fresh_user("teller")
    psycopg.connect(postgres.dsn(user="teller")).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.dsn(user="teller", password="wrong"))


def test_a_fresh_database_takes_its_slots_away(postgres: Postgres) -> None:
    postgres.fresh_database("slots")
    made = "select 1 from pg_create_logical_replication_slot('of_slots', 'pgoutput')"
    assert postgres.execute(made, "slots") == [(1,)]
    postgres.fresh_database("slots")
    assert postgres.execute("select slot_name from pg_replication_slots") == []


def test_psql_is_a_second_method(postgres: Postgres) -> None:
    rows = postgres.psql("select 1, null, E'a\\nb|', timestamptz '2026-01-01 12:00+02'")
    assert rows == [["1", "<null>", "a\nb|", "2026-01-01 10:00:00+00"]]


def test_mariadb_keeps_what_was_committed_over_a_crash(mariadb: MariaDB) -> None:
    mariadb.fresh_database("crash")
    mariadb.execute("create table kept (n int); insert into kept values (1)", "crash")
    port = mariadb.port
    mariadb.restart(immediate=True)
    assert mariadb.execute("select n, @@log_bin, @@binlog_format from kept", "crash") == [(1, 1, "ROW")]
    assert mariadb.port == port


def test_mariadb_asks_for_the_password(mariadb: MariaDB) -> None:
    mariadb.fresh_user("teller")
    there = {"host": mariadb.host, "port": mariadb.port, "user": "teller"}
    pymysql.connect(**there, password=mariadb.password).close()
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        pymysql.connect(**there, password="wrong")
