"""The tests: one folder per floor of the package, ``services_real`` for the servers they run against."""
