"""Our process killed at any instant, servers stopped: nothing is lost and nothing counts twice."""
