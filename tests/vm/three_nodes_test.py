"""One mirror on three nodes of a real kernel: shared resynchronisation, writes from all, power cuts."""
from __future__ import annotations

import re
import unittest

from mirrors import DMSETUP, Daemon, Mirror, Writer
from vmcluster import Node, NodeError, wait_for
from vmtest import LEG_A, LEG_B, LOG_DISK, PATTERN, ClusterTest, main

PART_MIB = 2


class ThreeNodesTest(ClusterTest):
    """Three nodes with corosync and the daemon; all are up again after each test."""

    NODES = 3

    def setUp(self) -> None:
        self.addCleanup(self.clean_up)
        for nodeid in self.cluster.nodes:
            self.ensure_up(nodeid)
        for disk, seed in ((LEG_A, 1), (LEG_B, 2), (LOG_DISK, 3)):
            self.cluster.fill_disk(disk, seed)

    def clean_up(self) -> None:
        """No mirror is left, and no node that does not answer."""
        for nodeid, node in self.cluster.nodes.items():
            if node.alive:
                try:
                    node.check(f"touch /tmp/stop; {DMSETUP} remove_all --force", timeout=60)
                except NodeError:
                    node.kill()

    def ensure_up(self, nodeid: int) -> None:
        """The node runs, with corosync and the daemon."""
        if not self.cluster[nodeid].alive:
            self.cluster.boot(nodeid)
            self.cluster.start_corosync([nodeid])
        daemon = Daemon(self.cluster[nodeid])
        if daemon.pid() is None:
            daemon.start()

    def nodes(self) -> list[Node]:
        return list(self.cluster.nodes.values())

    def mirror(self, kind: str, **fields) -> Mirror:
        log = ("clustered-core",) if kind == "core" else ("clustered-disk", self.cluster[1].check("cat /sys/block/vdc/dev"))
        return Mirror(self.cluster[1], kind, log=log, **fields)

    def create(self, mirror: Mirror) -> list[Mirror]:
        """On every node."""
        return [mirror.on(node).create() for node in self.nodes()]

    def start_writers(self, mirror: Mirror) -> list[Writer]:
        """On every node, each to its own part."""
        return [Writer(mirror.on(node), PATTERN, PART_MIB, at_mib=node.nodeid * PART_MIB) for node in self.nodes()]

    def assert_parts_read_back(self, mirror: Mirror, writers: list[int], readers: list[int]) -> None:
        for writer in writers:
            for reader in readers:
                self.assertTrue(mirror.on(self.cluster[reader]).same_as(PATTERN, PART_MIB, at_mib=writer * PART_MIB),
                                f"node {reader} reads what node {writer} wrote")

    def recovered_by(self, mirror: Mirror) -> dict[int, int]:
        """Node id -> regions that its kernel has recovered, as its daemon counts."""
        counts = {}
        for node in self.nodes():
            daemon = Daemon(node)
            before = daemon.log()
            daemon.signal("USR1")
            text = daemon.wait_logged(re.escape(mirror.log_uuid) + r"[\s\S]*recovered_here +: \d+", since=before)
            counts[node.nodeid] = int(re.findall(r"recovered_here +: (\d+)", text)[-1])
        return counts

    def bring_back(self, mirror: Mirror, nodeid: int) -> None:
        """Boot a node whose power was cut, and give it the mirror again."""
        self.ensure_up(nodeid)
        mirror.on(self.cluster[nodeid]).create()

    # -- tests
    def test_resynchronisation_is_shared_and_all_nodes_write(self) -> None:
        for kind in ("core", "disk"):
            with self.subTest(kind):
                mirror = self.mirror(kind, mib=64, region_sectors=128)
                everywhere = self.create(mirror)
                for one in everywhere:
                    self.assertTrue(one.wait_in_sync().complete)
                self.assert_legs_equal(mirror)
                counts = self.recovered_by(mirror)
                self.assertGreater(sum(1 for count in counts.values() if count > 0), 1, f"more than one node recovers: {counts}")
                writers = self.start_writers(mirror)
                for writer in writers:
                    writer.wait_more(PART_MIB * 16)
                for writer in writers:
                    writer.stop()
                self.assert_parts_read_back(mirror, [1, 2, 3], [1, 2, 3])
                self.assert_legs_equal(mirror)
                for one in everywhere:
                    one.remove()

    def test_power_cut_of_the_server_during_writes(self) -> None:
        for kind in ("disk", "core"):
            with self.subTest(kind):
                for nodeid in (1, 2, 3):
                    self.ensure_up(nodeid)
                mirror = self.mirror(kind)
                for one in self.create(mirror):
                    one.wait_in_sync()
                writers = self.start_writers(mirror)
                for writer in writers:
                    writer.wait_more(8)
                self.cluster[1].kill()  # the lowest member serves
                for node in self.nodes()[1:]:
                    self.cluster.wait_quorate(node, 2)
                for writer in writers[1:]:
                    writer.wait_more(12)
                for writer in writers[1:]:
                    writer.stop()
                survivor = mirror.on(self.cluster[2])
                self.assertFalse(survivor.status().complete, "what node 1 was writing may differ, and it may still live")
                self.bring_back(mirror, 1)
                for node in self.nodes():
                    mirror.on(node).wait_in_sync()
                self.assert_legs_equal(mirror)
                self.assert_parts_read_back(mirror, [2, 3], [1, 2, 3])
                for node in self.nodes():
                    mirror.on(node).remove()

    def test_power_cut_of_a_node_that_recovers(self) -> None:
        mirror = self.mirror("core", mib=64, region_sectors=32)
        self.create(mirror)
        wait_for("node 3 recovers", lambda: self.recovered_by(mirror)[3] > 0, 60)
        self.assertFalse(mirror.status().complete)
        self.cluster[3].kill()
        self.assertFalse(mirror.status().complete, "it was lost in the middle of the resynchronisation")
        self.bring_back(mirror, 3)
        for node in self.nodes():
            mirror.on(node).wait_in_sync()
        self.assert_legs_equal(mirror)


if __name__ == "__main__":
    unittest.TestCase.maxDiff = None
    main()
