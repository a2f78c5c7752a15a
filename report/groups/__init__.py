"""Vectors to groups: neighbours, clusters, the map, and what keeps groups stable from report to report."""
