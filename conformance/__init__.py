"""The Autobahn test suite against echo servers of ours: `python -m conformance`."""
