"""From a likelihood to its maximum, profiles and a posterior."""
