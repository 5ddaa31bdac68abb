"""The only room that opens an engine: declared tables, the runner, checks and the published snapshot."""
