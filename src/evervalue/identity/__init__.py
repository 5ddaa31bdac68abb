"""Records of many systems -> one customer each: typed identifiers, links with their reasons, ids that stay."""
