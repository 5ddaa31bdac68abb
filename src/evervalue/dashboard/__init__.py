"""The pages: queries over the published snapshot, HTML that reads without script, and charts as plain data."""
