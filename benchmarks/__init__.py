"""Measures EchoStream against the bare engine, in one run on one machine.

Shared machines are noisy: trust the ratios more than the times.
"""
