"""Reports: pages as files that need nothing else, sent by mail when they are due."""
