"""What columns are usually called, for guessing which one is meant."""

from __future__ import annotations

NAMES: dict[str, tuple[str, ...]] = {
    "line_id": (
        "rowid", "lineid", "orderlineid", "salelineid", "transactionlineid", "linekey", "rownumber",
        "rowno", "id",
    ),
    "order_id": (
        "orderid", "ordernumber", "orderno", "ordernr", "invoiceno", "invoiceid", "invoicenumber",
        "invoice", "order", "basketid", "basket", "receiptid", "receiptno", "receipt", "transactionid",
        "salesorder", "documentno", "documentnumber", "ticketid", "purchaseid",
    ),
    "ordered_at": (
        "orderdate", "orderedat", "ordertime", "orderdatetime", "ordertimestamp", "invoicedate",
        "purchasedate", "transactiondate", "transactiontimestamp", "transactiontime", "saledate",
        "salesdate", "placedat", "placedon", "purchasedat", "createdat", "date", "datetime", "timestamp",
        "ts", "day", "datum",
    ),
    "customer_id": (
        "customerid", "custid", "customerno", "customernumber", "customerkey", "customercode", "clientid",
        "accountid", "householdid", "userid", "memberid", "buyerid", "companyid", "contactid",
        "shopperid", "masterid", "kundennummer",
    ),
    "customer_name": (
        "customername", "customer", "clientname", "client", "companyname", "company", "accountname",
        "account", "buyer", "buyername", "kunde", "name",
    ),
    "amount": (
        "amount", "sales", "salesvalue", "salesamount", "revenue", "netrevenue", "netsales", "netamount",
        "linetotal", "lineamount", "total", "totalamount", "totalprice", "ordertotal", "turnover",
        "dollarvalue", "value", "spend", "subtotal", "monetary", "umsatz", "betrag", "extendedprice",
    ),
    "margin": (
        "profit", "margin", "grossprofit", "grossmargin", "marginamount", "netprofit", "contribution",
        "gewinn",
    ),
    "cost": ("cost", "cogs", "totalcost", "linecost", "costofgoods", "costofgoodssold"),
    "quantity": (
        "quantity", "qty", "units", "unitssold", "numberofitems", "numberofcds", "ncds", "items",
        "pieces", "menge",
    ),
    "unit_price": ("unitprice", "price", "priceeach", "itemprice", "salesprice", "pricepaid", "preis"),
    "discount": ("discount", "disc", "discountrate", "discountpercent", "retaildisc", "rebate", "rabatt"),
    "product_id": (
        "productid", "productcode", "productkey", "sku", "stockcode", "itemid", "itemcode", "upc",
        "articleid", "articleno",
    ),
    "product_name": (
        "product", "productname", "description", "item", "itemname", "article", "productdescription",
    ),
    "category": ("category", "productcategory", "department", "productgroup", "categoryname"),
    "currency": ("currency", "currencycode", "ccy"),
    "channel": ("channel", "saleschannel", "storeid", "store", "shop"),
    "region": ("region", "salesregion", "area", "shipregion"),
    "country": ("country", "countryname", "countrycode", "shipcountry"),
}  # fmt: skip
"""Field: names without case and punctuation, the surest first."""

ATTRIBUTES = (
    "industry", "segment", "sector", "companysize", "customertype", "customergroup", "customersegment", "accounttype",
    "plan", "tier", "gender", "age", "income", "maritalstatus", "city", "state", "country", "region",
)  # fmt: skip
"""Names of things that are known of customers."""


def folded(name: str) -> str:
    """A name without case and punctuation."""
    return "".join(c for c in name.lower() if c.isalnum())


def fit(name: str, field: str) -> float:
    """How well a column's name fits a field, from 0 to 1."""
    text, known = folded(name), NAMES[field]
    if text in known:
        return 1 - 0.02 * known.index(text)
    for word in known:
        if len(word) > 3 and (text.startswith(word) or text.endswith(word)):
            return 0.5
    return 0.0
