"""Reads a JUnit XML file of pytest: junit.py counts|failures|output FILE."""
import sys
import xml.etree.ElementTree as ET

LINES = 40  # kept of each failure


def main() -> None:
    what, path = sys.argv[1:]
    passed, skipped, broken = 0, 0, []
    for case in ET.parse(path).getroot().iter("testcase"):
        faults = [e for e in case if e.tag in ("failure", "error")]
        if faults:
            # A test may fail and its teardown too: one case, counted once.
            broken.append((f"{case.get('classname')}::{case.get('name')}", faults))
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    # A test that passed and whose teardown failed is reported as two cases of one name.
    names = {name for name, _ in broken}
    if what == "counts":
        print(passed, len(names), skipped)
    elif what == "failures":
        for name in sorted(names):
            print(name)
    else:
        for name, faults in broken:
            print(name)
            for fault in faults:
                print("  " + (fault.get("message") or "").partition("\n")[0][:300])
                print("\n".join(f"  {line}" for line in (fault.text or "").splitlines()[-LINES:]))


main()
