"""The canonical fields that columns are mapped to: what each means, how its cells are read, which are needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Provides = Literal["order_lines", "customers", "costs", "rates"]
Reading = Literal["id", "text", "instant", "day", "number", "currency", "kind"]

LINE_KINDS = ("sale", "return", "cancellation", "refund", "credit_note", "adjustment")


@dataclass(frozen=True)
class Field:
    """A canonical field.

    `type` is the type it has in the mapped table; `needed` whether a row without it is refused.
    """

    name: str
    reading: Reading
    type: str
    says: str
    needed: bool = False


ORDER_LINES = (
    Field("order_id", "id", "text", "order number; without it every row is an order of its own"),
    Field(
        "line_id",
        "id",
        "text",
        "number of the line, unique over the source; a line read twice is found by it",
    ),
    Field("ordered_at", "instant", "timestamp", "day or instant of the order", needed=True),
    Field("customer_id", "id", "text", "customer key; without the column the name is the key", needed=True),
    Field("customer_name", "text", "text", "customer as shown"),
    Field("product_id", "id", "text", "product key, which costs are joined by"),
    Field("product_name", "text", "text", "product as shown"),
    Field("category", "text", "text", "product category"),
    Field("quantity", "number", "decimal(18,4)", "units; negative where goods come back"),
    Field("unit_price", "number", "decimal(28,10)", "price of one unit"),
    Field("amount", "number", "decimal(18,4)", "net revenue of the line", needed=True),
    Field("discount", "number", "decimal(18,4)", "discount as the source writes it; 20% is read as 0.2"),
    Field("cost", "number", "decimal(18,4)", "cost of the whole line"),
    Field("margin", "number", "decimal(18,4)", "what the line earned after its cost"),
    Field("currency", "currency", "text", "three-letter code of the line's currency"),
    Field("kind", "kind", "text", "what the line is: " + ", ".join(LINE_KINDS)),
    Field("reverses_order_id", "id", "text", "order that a return or credit note takes back"),
    Field("channel", "text", "text", "channel of the sale"),
    Field("region", "text", "text", "region of the sale"),
    Field("country", "text", "text", "country of the sale"),
)

CUSTOMERS = (
    Field("customer_id", "id", "text", "customer key", needed=True),
    Field("customer_name", "text", "text", "customer as shown"),
)

COSTS = (
    Field("product_id", "id", "text", "product key", needed=True),
    Field("unit_cost", "number", "decimal(28,10)", "cost of one unit", needed=True),
    Field("currency", "currency", "text", "three-letter code of the cost's currency"),
    Field("valid_from", "day", "date", "first day on which the cost holds; without it, always"),
)

RATES = (
    Field("rate_date", "day", "date", "first day on which the rate holds", needed=True),
    Field("from_currency", "currency", "text", "currency of the amounts that are converted", needed=True),
    Field("to_currency", "currency", "text", "currency they are converted to", needed=True),
    Field("rate", "number", "decimal(28,10)", "units of the second for one of the first", needed=True),
)

FIELDS: dict[Provides, tuple[Field, ...]] = {
    "order_lines": ORDER_LINES,
    "customers": CUSTOMERS,
    "costs": COSTS,
    "rates": RATES,
}


def fields_of(provides: Provides) -> dict[str, Field]:
    """The canonical fields of what a source provides, by name."""
    return {field.name: field for field in FIELDS[provides]}
