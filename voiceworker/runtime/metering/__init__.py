"""Counting what a call uses of its providers, by ourselves.

The framework tells figures of requests that were finished; those that were cut off, prepared in vain or lost in a
failure cost money, too. So every engine is wrapped, and counts what goes through it.
"""

from voiceworker.runtime.metering.meter import Meter, Totals, TurnUsage, realtime_usage

__all__ = ["Meter", "Totals", "TurnUsage", "realtime_usage"]
