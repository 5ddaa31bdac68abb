"""The law of what customers go on to do, its intervals, and the correction that outcomes allow."""
