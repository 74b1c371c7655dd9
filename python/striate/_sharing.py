"""Locks for what several threads may do to a model at the same time; the rule is in `striate.Model`."""

from __future__ import annotations

import os
import threading

building = threading.RLock()
"""Held while layers become a model's, and while a model that was given no input shape gets one."""

if hasattr(os, "register_at_fork"):
    # A child must not get the lock held by a thread that it does not have.
    os.register_at_fork(before=building.acquire, after_in_parent=building.release, after_in_child=building.release)
