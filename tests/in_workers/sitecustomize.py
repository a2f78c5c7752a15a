"""Loaded by every process of the tests' Ray cluster: adds a backend to the table that ends its worker."""

from backends import BACKENDS, BackendInfo

BACKENDS["fragile"] = BackendInfo("tests.fragile", "FragileBackend", None, None, "fragile")
BACKENDS["fragile-batches"] = BackendInfo("tests.fragile", "FragileBatches", None, None, "fragile")
