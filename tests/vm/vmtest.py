"""What the tests of a cluster of virtual machines share.

Each file is run as `python3 <file> <path of cmirrord> [options of unittest]`.
"""
from __future__ import annotations

import sys
import unittest
from types import TracebackType

from mirrors import DMSETUP, Daemon, LogImage, Mirror
from vmcluster import Cluster, Node, NodeError, NodeGone, SetupError

_daemon_path: list[str] = []

LEG_A, LEG_B, LOG_DISK, PATTERN_DISK = range(4)
DISKS_MIB = (64, 64, 8, 16)
PATTERN = "/dev/vdd"
"""A disk of random bytes on every node."""


class ClusterTest(unittest.TestCase):
    """Tests on machines that are booted once for all tests of the class."""

    NODES = 1
    cluster: Cluster
    node: Node

    @classmethod
    def setUpClass(cls) -> None:
        cls.cluster = cls.enterClassContext(Cluster(nodes=cls.NODES, programs=_daemon_path, disks_mib=DISKS_MIB))
        cls.cluster.fill_disk(PATTERN_DISK, seed=4)
        cls.cluster.start_corosync()
        cls.node = cls.cluster[1]

    def assert_legs_equal(self, mirror: Mirror) -> None:
        """Both legs hold the same bytes over the whole of the mirror."""
        start, length = mirror.offset_mib << 20, mirror.mib << 20
        a, b = (self.cluster.read_disk(disk, start, length) for disk in (LEG_A, LEG_B))
        if a != b:
            region = mirror.region_sectors * 512
            differ = [r for r in range(mirror.regions) if a[r * region : (r + 1) * region] != b[r * region : (r + 1) * region]]
            self.fail(f"the legs of {mirror.name} differ in {len(differ)} regions: {differ[:40]}")

    def assert_leg_holds_pattern(self, mirror: Mirror, mib: int, at_mib: int = 0) -> None:
        """The first leg holds the first bytes of the pattern disk there."""
        found = self.cluster.read_disk(LEG_A, (mirror.offset_mib + at_mib) << 20, mib << 20)
        self.assertTrue(found == self.cluster.read_disk(PATTERN_DISK, 0, mib << 20), "other bytes on the leg than were written")

    def report(self) -> str:
        """What a person needs to understand a failure."""
        parts = []
        for nodeid, node in self.cluster.nodes.items():
            try:
                devices = node.run("dmsetup table; dmsetup info -c", timeout=10)[1]
                parts.append(f"--- node {nodeid}: devices\n{devices}\n--- kernel log\n{_tail(node.kernel_log(), 20)}"
                             f"\n--- system log\n{_tail(node.syslog(), 60)}")
            except (NodeError, OSError) as error:
                parts.append(f"--- node {nodeid}: {error}")
        return "\n".join(parts)


class DaemonTest(ClusterTest):
    """Tests for which corosync and the daemon run, and whose mirrors are removed after each of them."""

    def setUp(self) -> None:
        self.daemon = Daemon(self.node)
        if self.daemon.pid() is None:
            self.daemon.start()
        self.addCleanup(self._clean_up)
        self.cluster.fill_disk(LEG_A, seed=1)
        self.cluster.fill_disk(LEG_B, seed=2)
        self.cluster.fill_disk(LOG_DISK, seed=3)

    def _clean_up(self) -> None:
        try:
            if self.daemon.pid() is None:
                self.daemon.start()
            self.node.check(f"{DMSETUP} remove_all", timeout=60)
        except NodeError:  # whatever a failed test has left there: start afresh
            type(self).node = self.cluster.boot(1)
            self.cluster.start_corosync()

    def core_mirror(self, name: str = "core", **fields) -> Mirror:
        """A mirror with a log in memory."""
        return Mirror(self.node, name, **fields)

    def disk_mirror(self, name: str = "disk", **fields) -> Mirror:
        """A mirror with a log on the log disk."""
        return Mirror(self.node, name, log=("clustered-disk", self.log_device()), **fields)

    def log_device(self) -> str:
        """The log disk as <major>:<minor>."""
        return self.node.check("cat /sys/block/vdc/dev")

    def log_image(self) -> LogImage:
        """What is on the log disk."""
        return LogImage.parse(self.cluster.read_disk(LOG_DISK))


class _Result(unittest.TextTestResult):
    """Prints the state of the nodes where a test fails, before that is cleaned up."""

    def addError(self, test: unittest.TestCase, err) -> None:
        super().addError(test, err)
        self._report(test)

    def addFailure(self, test: unittest.TestCase, err) -> None:
        super().addFailure(test, err)
        self._report(test)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase,
                   err: tuple[type[BaseException], BaseException, TracebackType] | None) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._report(test)

    def _report(self, test: unittest.TestCase) -> None:
        if isinstance(test, ClusterTest):
            self.stream.writeln(test.report())
            self.stream.flush()


def _tail(text: str, lines: int) -> str:
    return "\n".join(text.splitlines()[-lines:])


def daemon_path() -> str:
    """The daemon that is tested."""
    return _daemon_path[0]


def main() -> None:
    """Run the tests of the calling file."""
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        _daemon_path.append(sys.argv.pop(1))
    try:
        unittest.main(module="__main__", verbosity=2, testRunner=unittest.TextTestRunner(resultclass=_Result, verbosity=2))
    except SetupError as error:
        sys.exit(f"{sys.argv[0]}: {error}")


__all__ = ["ClusterTest", "DaemonTest", "NodeGone", "PATTERN", "daemon_path", "main"]
