"""Measurements of EchoStream beside the bare engine, in one run on one machine.

Shared machines are noisy: the ratios mean something, the times little.
"""
