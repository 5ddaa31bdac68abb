"""What a run found in its tables that its reader should know before trusting a number.

It is read from the tables, so that a run that took them over tells it as the one that built them did.
"""

from __future__ import annotations

from evervalue.core.progress import Progress
from evervalue.core.text import count, joined
from evervalue.warehouse.duckdb import Connection


def tell(con: Connection, progress: Progress) -> None:
    """Warns of what links nobody, of orders told twice, of costs that no line bears, of rules in place of models."""
    for warning in (*_shared(con), *_same_orders(con), *_unallocated(con), *_stand_ins(con)):
        progress.warn(warning)


def _shared(con: Connection) -> list[str]:
    """Identifiers that stand beside too many records."""
    (n,) = con.execute(
        "select count(distinct value_hash) from identity.identifiers where verdict in ('shared', 'cluster_too_large')"
    ).fetchone() or (0,)
    says = (
        f"{count(n, 'identifier')} (e-mail addresses, telephone numbers ...) stand beside so many "
        "records that they link nobody: 'evervalue identity list --suspicious' shows them."
    )
    return [says] if n else []


def _same_orders(con: Connection) -> list[str]:
    """Orders beside the first of each that is told twice, by how many there are and what they come to."""
    sums = con.execute(
        "select currency, count(*), sum(amount), min(order_id) from curated.same_orders where system <> first_system "
        "group by currency order by currency"
    ).fetchall()
    if not sums:
        return []
    systems = con.execute("select distinct system from curated.same_orders order by 1").fetchall()
    (rule,) = con.execute("select same_orders from run.settings").fetchone() or ("keep",)
    n = sum(row[1] for row in sums)
    money = joined(f"{amount:,.2f} {currency}" for currency, _, amount, _ in sums)
    does = (
        'All are counted; where they are one sale, set same_orders = "once" under [identity].'
        if rule == "keep"
        else "Each is counted once."
    )
    says = (
        f"{count(n, 'order')} of together {money} {'is' if n == 1 else 'are'} in more than one of the systems "
        f"{joined(name for (name,) in systems)}, alike in number, customer, day, amount and currency, for example "
        f"{sums[0][3]}. {does} curated.same_orders lists them."
    )
    return [says]


def _unallocated(con: Connection) -> list[str]:
    rows = con.execute(
        "select u.source, u.reason, any_value(u.says), count(*), sum(u.amount), min(u.names), any_value(s.currency) "
        "from curated.unallocated_costs as u cross join run.settings as s group by 1, 2 order by 1, 2"
    ).fetchall()
    return [
        f"sources.{source}: {count(n, 'cost')} of together {amount:,.2f} {currency} {'is' if n == 1 else 'are'} in no "
        f"margin: {says}"
        + (f", for example {example}" if example and reason != "no_such_customer" else "")
        + ". "
        "curated.unallocated_costs lists them."
        for source, reason, says, n, amount, example, currency in rows
    ]


def _stand_ins(con: Connection) -> list[str]:
    """Why a rule stands in for a model, where models were asked for."""
    rows = con.execute(
        "select f.model_says from models.fits as f cross join run.settings as s "
        "where not f.is_fitted and s.value_model <> 'none' order by f.role"
    ).fetchall()
    return [str(says) for (says,) in rows]
