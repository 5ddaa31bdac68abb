"""Events that other streams bring: read in order, judged as those that come by HTTP, stored once."""
