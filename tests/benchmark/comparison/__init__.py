"""Measures migd beside psql, the limit of what a migration tool can reach, and beside its peers."""
