"""SQL that brings identifiers into one form, or says why one cannot link anybody.

Two writings of one address or number come out equal; two that may belong to different people do not. So plus-tags and
dots in e-mail addresses stay as they are (whether they matter is the mail server's secret), a number without its
country links only where the settings name one, and an extension stays part of a telephone number.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from evervalue.identity.settings import IdentitySettings, calling_codes, words
from evervalue.warehouse.duckdb import Connection, insert, literal

NORMALISED = "identity_values"
"""Temporary table (type, value, normal, shown, limit_of, fault), a row a distinct identifier as it came."""


def normalise(con: Connection, given: str, settings: IdentitySettings) -> None:
    """Fills the temporary table `identity_values` for the distinct (type, value) of the table `given`."""
    con.execute(f"create or replace temp table identity_given as select distinct type, value from {given}")
    _compatible(con)
    con.execute(
        f"""
        create or replace temp table {NORMALISED} as
        with cells as (
            select g.type, g.value, trim(coalesce(c.normal, g.value)) as cell
            from identity_given as g left join identity_compatible as c on c.value = g.value
        ),
        parts as (
            select *, lower(cell) as small, {_EXTENSION} as extension,
                case when type = 'phone'
                    then regexp_replace(regexp_replace(cell, {_EXTENSION_PATTERN}, ''), '[(]0[)]', '') end as body,
                case when type = 'tax_number' then upper(regexp_replace(cell, '[^0-9A-Za-z]', '', 'g')) end as letters
            from cells
        ),
        addressed as (
            select *,
                case when type = 'email'
                    then regexp_replace(regexp_replace(small, '^mailto:', ''), '^<(.*)>$', '\\1') end as address,
                case when type = 'phone' then regexp_replace(body, '[^0-9]', '', 'g') end as digits
            from parts
        ),
        normalled as (
            select *, {_international(settings)} as phone, {_taxed(settings)} as tax,
                split_part(address, '@', 1) as mailbox, split_part(address, '@', 2) as domain
            from addressed
        )
        select type, value,
            case type when 'email' then address when 'phone' then phone || extension when 'tax_number' then tax
                else cell end as normal,
            case type
                when 'email' then left(mailbox, 1) || '***@' || left(domain, 1) || '***.'
                    || split_part(domain, '.', -1)
                when 'phone' then left(phone, 3) || '***' || right(phone, 2)
                when 'tax_number' then left(tax, 2) || '***' || right(tax, 2)
                else cell end as shown,
            case when type = 'email' and {_among("regexp_replace(mailbox, '[+].*$', '')", words()["generic"])}
                then 'generic'
                when type in ('email', 'phone') then type else 'number' end as limit_of,
            case
                when {_among("small", words()["placeholders"])} then 'placeholder'
                when type = 'email' then case
                    when not regexp_full_match(address, '[^@\\s,;<>]+@[^@\\s.,;<>]+([.][^@\\s.,;<>]+)+')
                        then 'not_an_address'
                    when {_among("mailbox", words()["nobody"])} or {_among("domain", words()["nowhere"])}
                        then 'placeholder'
                    end
                when type = 'phone' then case
                    when not regexp_full_match(body, '[+]?[0-9 ()./\\-]+') or length(digits) < 5 then 'not_a_number'
                    when {_one_digit("right(digits, 7)")} or contains(digits, '1234567') or contains(digits, '9876543')
                        then 'placeholder'
                    when phone is null then 'no_country'
                    when length(phone) not between 9 and 16 then 'not_a_number'
                    end
                when type = 'tax_number' then case
                    when length(letters) < 6 or not regexp_matches(letters, '[0-9].*[0-9].*[0-9].*[0-9]')
                        then 'not_a_number'
                    when {_one_digit("regexp_replace(letters, '[A-Z]', '', 'g')")} or contains(letters, '12345678')
                        then 'placeholder'
                    when tax is null then 'no_country'
                    end
                when {_one_digit("cell")} and length(cell) > 3 then 'placeholder'
            end as fault
        from normalled
        """
    )
    con.execute("drop table identity_given")
    con.execute("drop table identity_compatible")


def _compatible(con: Connection) -> None:
    """Unicode's compatibility form (NFKC) of values beyond ASCII, which the engine does not have."""
    con.execute("create or replace temp table identity_compatible (value text, normal text)")
    beyond = con.execute(
        "select distinct value from identity_given where length(value) <> octet_length(encode(value))"
    ).fetchall()
    insert(con, "identity_compatible", ((value, unicodedata.normalize("NFKC", value)) for (value,) in beyond))


_EXTENSION_PATTERN = "'(?i)\\s*(?:ext(?:ension)?[.:]?|x|#|durchwahl|dw)\\s*([0-9]{1,6})\\s*$'"
_EXTENSION = (
    f"case when type = 'phone' and regexp_matches(cell, {_EXTENSION_PATTERN}) "
    f"then 'x' || regexp_extract(cell, {_EXTENSION_PATTERN}, 1) else '' end"
)


def _international(settings: IdentitySettings) -> str:
    """A telephone number with its country, as E.164 writes it; null where the country is not known."""
    whens = ["when starts_with(ltrim(body, ' ('), '+') then '+' || digits"]
    if settings.country != "US" and settings.country != "CA":
        whens.append("when starts_with(digits, '00') then '+' || substr(digits, 3)")
    if settings.country:
        code, trunk = calling_codes()[settings.country]
        if code == "1":
            whens.append("when starts_with(digits, '011') then '+' || substr(digits, 4)")
        if trunk:
            whens.append(
                f"when starts_with(digits, {literal(trunk)}) then '+{code}' || substr(digits, {len(trunk) + 1})"
            )
        whens.append(f"else '+{code}' || digits")
    return f"case when type <> 'phone' then null {' '.join(whens)} end"


def _taxed(settings: IdentitySettings) -> str:
    """A tax number with its country in front; null where the country is not known."""
    other = f"{literal(settings.country)} || letters" if settings.country else "null"
    return (
        "case when type <> 'tax_number' then null when regexp_matches(letters, '^[A-Z]{2}.*[0-9]') "
        f"then letters else {other} end"
    )


def _one_digit(text: str) -> str:
    """Whether a text is one character over and over."""
    return f"(length({text}) > 0 and replace({text}, left({text}, 1), '') = '')"


def _among(text: str, found: Iterable[str]) -> str:
    return f"{text} in ({', '.join(literal(word) for word in found)})"
