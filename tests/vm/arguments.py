"""Command line of the test files that need the daemon."""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vmcluster import end_on_sigterm


def daemon_and_unittest_arguments() -> tuple[argparse.Namespace, list[str]]:
    """(our options, the argv for unittest). Also makes SIGTERM stop the machines."""
    end_on_sigterm()
    parser = argparse.ArgumentParser(epilog="Other arguments go to unittest: names of classes or cases.")
    parser.add_argument("--daemon", type=Path, required=True, help="the cmirrord to test")
    arguments, rest = parser.parse_known_args()
    return arguments, [sys.argv[0], *rest]
