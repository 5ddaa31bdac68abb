"""The canonical fields that columns are mapped to: what each means, how its cells are read, which are needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Provides = Literal[
    "order_lines",
    "customers",
    "costs",
    "rates",
    "cost_entries",
    "subscriptions",
    "balances",
    "income",
    "identifiers",
]
Reading = Literal["id", "text", "instant", "day", "number", "currency", "kind", "choice", "identifier"]

LINE_KINDS = ("sale", "return", "cancellation", "refund", "credit_note", "adjustment")


@dataclass(frozen=True)
class Field:
    """A canonical field.

    `type` is the type it has in the mapped table; `needed` whether a row without it is refused; `choices` what a cell
    that is read as one of a few words may say (in small letters, _ for spaces), with the word that is stored.
    """

    name: str
    reading: Reading
    type: str
    says: str
    needed: bool = False
    choices: Mapping[str, str] = field(default_factory=dict, hash=False)


PERIODS = {
    **dict.fromkeys(("month", "months", "monthly", "m", "mo", "1m"), "month"),
    **dict.fromkeys(("quarter", "quarters", "quarterly", "q", "3m"), "quarter"),
    **dict.fromkeys(("year", "years", "yearly", "annual", "annually", "y", "yr", "12m"), "year"),
}
"""How billing periods are written."""

IDENTIFIER_TYPES = {
    **dict.fromkeys(("email", "e_mail", "mail", "email_address"), "email"),
    **dict.fromkeys(("phone", "telephone", "tel", "mobile", "phone_number"), "phone"),
    **dict.fromkeys(("tax_number", "vat", "vat_id", "vat_number", "tax_id"), "tax_number"),
    **dict.fromkeys(("customer_number", "customer_no", "account_number"), "customer_number"),
    **dict.fromkeys(("external_id", "external"), "external_id"),
}
"""How the sorts of identifiers are written."""

IDENTIFIERS = (
    Field("email", "identifier", "text", "e-mail address of the customer, which identity is found by"),
    Field("phone", "identifier", "text", "telephone number of the customer, which identity is found by"),
    Field(
        "tax_number", "identifier", "text", "tax or VAT number of the customer, which identity is found by"
    ),
    Field("external_id", "identifier", "text", "key of the customer in another system"),
)
"""Fields of a customer that become rows of mapped.identifiers, not columns of the mapped table."""

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
    *IDENTIFIERS,
)

CUSTOMERS = (
    Field("customer_id", "id", "text", "customer key", needed=True),
    Field("customer_name", "text", "text", "customer as shown"),
    *IDENTIFIERS,
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

COST_ENTRIES = (
    Field(
        "entry_id",
        "id",
        "text",
        "number of the entry, unique over the source; an entry read twice is found by it",
    ),
    Field("cost_kind", "text", "text", "what the cost is for, such as cogs, shipping, service or marketing"),
    Field("amount", "number", "decimal(18,4)", "cost; negative where it was taken back", needed=True),
    Field("currency", "currency", "text", "three-letter code of the cost's currency"),
    Field("cost_date", "day", "date", "day of the cost; without a period it stands for its month"),
    Field("period_start", "day", "date", "first day that the cost is for"),
    Field("period_end", "day", "date", "last day that the cost is for; without it the end of the month"),
    Field("line_id", "id", "text", "order line that the cost is for"),
    Field("order_id", "id", "text", "order that the cost is for"),
    Field("customer_id", "id", "text", "customer that the cost is for"),
    Field("product_id", "id", "text", "only lines of this product bear it"),
    Field("category", "text", "text", "only lines of this product category bear it"),
    Field("channel", "text", "text", "only lines of this channel bear it"),
)

SUBSCRIPTIONS = (
    Field("subscription_id", "id", "text", "contract number", needed=True),
    Field("customer_id", "id", "text", "customer key; without the column the name is the key", needed=True),
    Field("customer_name", "text", "text", "customer as shown"),
    Field("product_id", "id", "text", "product key"),
    Field("started_on", "day", "date", "first day of the contract, or of these terms of it", needed=True),
    Field("ended_on", "day", "date", "first day on which it does not run any more; without it, it runs"),
    Field(
        "amount", "number", "decimal(18,4)", "price of the whole contract for one billing period", needed=True
    ),
    Field("quantity", "number", "decimal(18,4)", "seats or units, as the source says; not multiplied"),
    Field("currency", "currency", "text", "three-letter code of the price's currency"),
    Field(
        "period",
        "choice",
        "text",
        "billing period: month, quarter or year; without it a month",
        choices=PERIODS,
    ),
    Field("status", "text", "text", "status as the source writes it"),
)

BALANCES = (
    Field("account_id", "id", "text", "account number", needed=True),
    Field("customer_id", "id", "text", "customer key; without the column the name is the key", needed=True),
    Field("customer_name", "text", "text", "customer as shown"),
    Field("product_id", "id", "text", "what the account is, such as current account or loan"),
    Field("balance_date", "day", "date", "day at whose end the balance was so", needed=True),
    Field("balance", "number", "decimal(18,4)", "balance; negative where the customer owes", needed=True),
    Field("currency", "currency", "text", "three-letter code of the balance's currency"),
)

INCOME = (
    Field(
        "income_id",
        "id",
        "text",
        "number of the row, unique over the source; a row read twice is found by it",
    ),
    Field("customer_id", "id", "text", "customer key; without the column the name is the key", needed=True),
    Field("customer_name", "text", "text", "customer as shown"),
    Field("account_id", "id", "text", "account number"),
    Field("product_id", "id", "text", "what the account is"),
    Field("period_start", "day", "date", "first day of the statement; without it the first of its month"),
    Field("period_end", "day", "date", "last day of the statement", needed=True),
    Field("interest_income", "number", "decimal(18,4)", "interest that the customer pays"),
    Field("interest_expense", "number", "decimal(18,4)", "interest that the customer is paid; not negative"),
    Field("fees", "number", "decimal(18,4)", "fees that the customer pays"),
    Field("currency", "currency", "text", "three-letter code of the amounts' currency"),
    Field("channel", "text", "text", "channel"),
    Field("region", "text", "text", "region"),
    Field("country", "text", "text", "country"),
)

IDENTIFIER_ROWS = (
    Field("customer_id", "id", "text", "customer key", needed=True),
    Field("type", "choice", "text", "what the identifier is", needed=True, choices=IDENTIFIER_TYPES),
    Field("value", "text", "text", "the identifier as the source writes it", needed=True),
    Field(
        "namespace",
        "text",
        "text",
        "whose number a customer_number or external_id is; without it the system's own",
    ),
)

FIELDS: dict[Provides, tuple[Field, ...]] = {
    "order_lines": ORDER_LINES,
    "customers": CUSTOMERS,
    "costs": COSTS,
    "rates": RATES,
    "cost_entries": COST_ENTRIES,
    "subscriptions": SUBSCRIPTIONS,
    "balances": BALANCES,
    "income": INCOME,
    "identifiers": IDENTIFIER_ROWS,
}

MONEY: dict[Provides, tuple[str, ...]] = {
    "order_lines": ("amount",),
    "cost_entries": ("amount",),
    "subscriptions": ("amount",),
    "balances": ("balance",),
    "income": ("interest_income", "fees"),
}
"""The fields whose sum is the money of a row, which is counted from the raw cells and again from the mapped rows."""

ONE_OF: dict[Provides, tuple[tuple[str, ...], ...]] = {
    "cost_entries": (("line_id", "order_id", "cost_date", "period_start"),),
    "income": (("interest_income", "interest_expense", "fees"),),
}
"""Fields of which at least one is to be mapped."""


def fields_of(provides: Provides) -> dict[str, Field]:
    """The canonical fields of what a source provides, by name."""
    return {field.name: field for field in FIELDS[provides]}


def identifier_fields(provides: Provides) -> tuple[str, ...]:
    """The fields that become identifiers of the row's customer."""
    return tuple(field.name for field in FIELDS[provides] if field.reading == "identifier")


def has_customers(provides: Provides) -> bool:
    """Whether a row names a customer, so that attributes of it can be given."""
    return any(field.name == "customer_id" for field in FIELDS[provides])
