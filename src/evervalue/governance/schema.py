"""The tables of who may come in, in the file of what people keep; none holds a password, key or ticket itself."""

from __future__ import annotations

from evervalue.state.store import Schema

SCHEMA = Schema(
    "access",
    (
        """
        create table account (
            id text primary key,
            name text not null,
            called text not null unique,
            role text not null,
            password text,
            subject text unique,
            disabled_at text,
            created_at text not null,
            password_at text,
            seen_at text
        ) strict;
        create table session (
            ticket text primary key,
            account text references account (id) on delete cascade,
            created_at text not null,
            seen_at text not null,
            ends_at text not null,
            address text not null,
            browser text not null
        ) strict;
        create index session_account on session (account);
        create table local_link (
            ticket text primary key,
            ends_at text not null
        ) strict;
        create table failed_sign_in (
            id text primary key,
            called text not null,
            address text not null,
            at text not null
        ) strict;
        create index failed_sign_in_called on failed_sign_in (called, at);
        create index failed_sign_in_address on failed_sign_in (address, at);
        create table api_key (
            id text primary key,
            ticket text not null unique,
            account text references account (id) on delete cascade,
            name text not null,
            shown text not null,
            rights text not null,
            created_at text not null,
            ends_at text,
            used_at text,
            revoked_at text
        ) strict;
        create table security_event (
            id integer primary key,
            at text not null,
            kind text not null,
            who text not null,
            about text not null,
            address text not null
        ) strict;
        create index security_event_at on security_event (at);
        """,
    ),
)
