"""What events that came since the last run change of a customer: orders, LRFM and value, computed when asked for.

The next run gives the same figures from the tables. Until then they are marked provisional: scores are held against the
boundaries that were published, and models are those of the published run.
"""
