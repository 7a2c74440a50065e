"""Insights without a language model and without a network."""

from echostream.insights.offline.extractive import ExtractiveInsights

__all__ = ["ExtractiveInsights"]
