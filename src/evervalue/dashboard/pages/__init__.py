"""One module a page: the queries it asks, the findings it says, the charts it draws."""
