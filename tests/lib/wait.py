"""Waiting for a condition instead of for a time."""
import os
import time

# Sanitizers make everything slower; a bound that is only there to end a broken test stretches with them.
SLOWNESS = {"asan": 2, "tsan": 4}.get(os.environ.get("POSTHORN_VARIANT", ""), 1)

# Called now and then while waiting; they raise when there is nothing to wait for any more.
alarms = []


def wait_for(condition, timeout=10.0, what=None):
    """Calls condition until it returns something true, and returns that. AssertionError when timeout (seconds) is over."""
    deadline = time.monotonic() + timeout * SLOWNESS
    alarm_at = time.monotonic() + 1
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > alarm_at:
            alarm_at += 1
            for alarm in alarms:
                alarm()
        if time.monotonic() > deadline:
            raise AssertionError(f"still not so after {timeout * SLOWNESS:g} s: {what or condition}; last value {value!r}")
        time.sleep(0.01)
