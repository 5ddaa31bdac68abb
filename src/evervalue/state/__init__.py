"""What people keep: in one file beside the runs, which no run touches."""
