"""The daemon killed and started again while a real kernel writes: no write fails, nothing is resynchronised, and no write waits for long."""
from __future__ import annotations

import re
import unittest

from mirrors import DMSETUP, Daemon, Mirror, Writer
from vmcluster import Node, NodeError
from vmtest import LEG_A, LEG_B, LOG_DISK, PATTERN, ClusterTest, main

# With a daemon that is back 1.5 s after its end.
STALL_MAX_S = 5.0
# The service manager's RestartSec.
RESTART_PAUSE_S = 1.0
PART_MIB = 2


class RestartTest(ClusterTest):
    """What is the same on one node and on three."""

    def setUp(self) -> None:
        self.addCleanup(self.clean_up)
        for node in self.nodes():
            if Daemon(node).pid() is None:
                Daemon(node).start()
        for disk, seed in ((LEG_A, 1), (LEG_B, 2), (LOG_DISK, 3)):
            self.cluster.fill_disk(disk, seed)

    def clean_up(self) -> None:
        for node in self.nodes():
            try:
                node.check(f"touch /tmp/stop; {DMSETUP} remove_all --force", timeout=60)
            except NodeError:
                node.kill()

    def nodes(self) -> list[Node]:
        return list(self.cluster.nodes.values())

    def restart_each(self, kinds: tuple[str, ...]) -> None:
        """Kill and start every node's daemon in turn while mirrors with these logs are written to on all nodes."""
        mirrors = []
        for number, kind in enumerate(kinds):
            log = ("clustered-core",) if kind == "core" else ("clustered-disk", self.node.check("cat /sys/block/vdc/dev"))
            mirrors.append(Mirror(self.node, kind, log=log, mib=16, offset_mib=16 * number))
        writers = []
        for mirror in mirrors:
            for node in self.nodes():
                mirror.on(node).create()
        for mirror in mirrors:
            for node in self.nodes():
                mirror.on(node).wait_in_sync()
                writers.append(Writer(mirror.on(node), PATTERN, PART_MIB, at_mib=node.nodeid * PART_MIB))
        for writer in writers:
            writer.wait_more(16)
        longest = behind = 0.0
        for node in self.nodes():
            before = [writer.written() for writer in writers]
            daemon = Daemon(node)
            away = daemon.kill_and_start(RESTART_PAUSE_S)
            for writer in writers:
                writer.wait_more(16)
            stall = max(writer.longest_pause(since - 1) for writer, since in zip(writers, before))
            print(f"node {node.nodeid}: {stall:.2f} s, of which there was no daemon for {away:.2f} s", flush=True)
            behind = max(behind, stall - away)
            longest = max(longest, stall)
        for writer in writers:
            writer.stop()
        print(f"longest stall with {' and '.join(kinds)} logs on {len(self.nodes())} node(s): {longest:.2f} s", flush=True)
        for mirror in mirrors:
            for node in self.nodes():
                self.assertTrue(mirror.on(node).status().complete, f"{mirror.name} is resynchronised on node {node.nodeid}")
            self.assert_legs_equal(mirror)
            self.assertTrue(mirror.same_as(PATTERN, PART_MIB, at_mib=PART_MIB))
        for node in self.nodes():
            self.assertFalse(re.search(r"I/O error|Buffer I/O|log.*failed", node.kernel_log()), "no write failed")
        self.assertLess(behind, STALL_MAX_S - 1.5, "a program starts within half a second where nothing is emulated")


class OneNodeTest(RestartTest):
    NODES = 1

    def test_killed_under_load(self) -> None:
        self.restart_each(("core", "disk"))


class ThreeNodesTest(RestartTest):
    NODES = 3

    def test_killed_under_load(self) -> None:
        self.restart_each(("core", "disk"))


if __name__ == "__main__":
    unittest.TestCase.maxDiff = None
    main()
