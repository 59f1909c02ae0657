"""However a program that runs machines ends, no machine stays behind."""
from __future__ import annotations

import signal
import subprocess
import sys
import unittest
from pathlib import Path

from vmcluster import wait_for
from vmtest import main

HERE = Path(__file__).resolve().parent

# Prints the machine's process and its directory, and waits.
PROGRAM = """
import signal
from vmcluster import Cluster
with Cluster(disks_mib=[1]) as cluster:
    print(cluster[1].process.pid, cluster.disk(0).parent, flush=True)
    signal.pause()
"""

# The same within a test, where unittest takes exceptions for results.
TEST_PROGRAM = """
import signal, unittest
from vmcluster import Cluster
class WaitingTest(unittest.TestCase):
    def test_1_waits(self):
        cluster = self.enterContext(Cluster(disks_mib=[1]))
        print(cluster[1].process.pid, cluster.disk(0).parent, flush=True)
        signal.pause()
    def test_2_waits_again(self):
        signal.pause()
unittest.main()
"""


class CleanUpTest(unittest.TestCase):
    """Programs that are ended from outside."""

    def end(self, program: str, number: signal.Signals) -> tuple[int, Path]:
        """Run a program until it has a machine, and end it; return the machine's process and its directory."""
        with subprocess.Popen([sys.executable, "-c", program], cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True) as running:
            assert running.stdout is not None
            pid, directory = running.stdout.readline().split()
            running.send_signal(number)
            try:
                running.wait(timeout=20)
            except subprocess.TimeoutExpired:
                running.kill()
                self.fail(f"the program goes on after {number.name}")
        return int(pid), Path(directory)

    def assert_gone(self, pid: int) -> None:
        stat = Path(f"/proc/{pid}/stat")
        wait_for(f"machine {pid} ends", lambda: not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z", 10)

    def test_sigterm(self) -> None:
        for program in (PROGRAM, TEST_PROGRAM):
            with self.subTest(program):
                pid, directory = self.end(program, signal.SIGTERM)
                self.assert_gone(pid)
                self.assertFalse(directory.exists())

    def test_sigkill(self) -> None:
        pid, directory = self.end(PROGRAM, signal.SIGKILL)
        self.assert_gone(pid)
        subprocess.run(["rm", "-rf", directory], check=True)


if __name__ == "__main__":
    main()
