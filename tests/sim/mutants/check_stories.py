#!/usr/bin/env python3
"""Checks that every story of what once broke a rule, and every checker of the simulation, has a mutant that only it can
catch; prints the table. Exits with 1 if one has none.

usage: check_stories.py <root of the tree>
"""
import pathlib
import re
import sys

from make_mutants import read_mutants

# The stories, as the tests of tests/unit/attack_*_test.cpp number them.
STORIES = {
    "S01": "a MARK is answered, the daemon dies, the FLUSH alone is repeated",
    "S02": "a FLUSH that waits without quorum is sent again",
    "S03": "a CLEAR on its way, and a MARK behind it taken for warm",
    "S04": "a reconnect forgets how high the kernel's hint is",
    "S05": "a writer is lost between the two questions of one write",
    "S06": "a kernel's cached state outlives the recovery by another node",
    "S07": "marks that a failed PREFLUSH leaves are dropped",
    "S08": "two nodes that recover wait for each other's marks",
    "S09": "a dead daemon's kernel copies on",
    "S10": "marks inherited by another boot, or taken for idle",
    "S11": "a cut-off side that goes on, and the merge behind it",
    "S12": "a daemon alone believes a state file that is too old",
    "S13": "what comes late for an instance that was replaced",
    "S14": "the daemon restarts during a suspend",
    "S15": "a MARK past PRESUSPEND of a region that another starts to copy",
    "S16": "warm marks keep a region from its recovery for ever",
    "S17": "legacy members that join while runs are out, or clear what others write",
    "S18": "a joiner counts before it has the state",
    "S19": "what the log device says at a take-over stays with the new server",
    "S20": "originator and confirmer die together",
    "S21": "a FLUSH after lone clears waits for quorum",
}


def checkers(root):
    """The names that the checkers give themselves."""
    names = set()
    for path in (root / "tests/sim/checkers").glob("*.hpp"):
        names.update(re.findall(r'name\(\) const override \{ return "([^"]+)"; \}', path.read_text()))
    return names


def main():
    root = pathlib.Path(sys.argv[1])
    mutants = read_mutants((root / "tests/sim/mutants/mutants.txt").read_text())
    missing = []
    for story, what in sorted(STORIES.items()):
        names = [m["name"] for m in mutants if story in m["stories"].split()]
        print(f"{story}  {what}: {', '.join(names) or 'NO MUTANT'}")
        if not names:
            missing.append(story)
    unknown = {s for m in mutants for s in m["stories"].split()} - set(STORIES)
    for checker in sorted(checkers(root)):
        names = [m["name"] for m in mutants if m["checker"] == checker]
        print(f"checker {checker}: {', '.join(names) or 'NO MUTANT'}")
        if not names:
            missing.append(checker)
    bad_checkers = {m["checker"] for m in mutants if m["checker"]} - checkers(root)
    for name in sorted(unknown | bad_checkers):
        print(f"unknown: {name}")
    sys.exit(1 if missing or unknown or bad_checkers else 0)


if __name__ == "__main__":
    main()
