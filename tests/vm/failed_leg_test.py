"""A leg fails while two nodes write: what cmirrorctl says leads to the end of it, and no write is lost."""
from __future__ import annotations

import re
from pathlib import Path

import vmtest
from mirrors import DMSETUP, Daemon, Mirror, Writer
from vmcluster import Cluster, Node, wait_for
from vmtest import PATTERN

MIB = 32
DISKS_MIB = (64, 64, 8, 16, 64)
LEG_A, LEG_B, LOG_DISK, PATTERN_DISK, SPARE = range(5)
LEG = "/dev/mapper/leg"
"""The leg that fails: a device of its own on each node, over the shared disk."""
TAB = "/etc/cmirrortab"


class FailedLegTest(vmtest.ClusterTest):
    """Two nodes write to a mirror, one of its legs fails on both."""

    NODES = 2

    @classmethod
    def setUpClass(cls) -> None:
        daemon = Path(vmtest.daemon_path())
        cls.cluster = cls.enterClassContext(
            Cluster(nodes=cls.NODES, programs=(str(daemon), str(daemon.with_name("cmirrorctl"))), disks_mib=DISKS_MIB))
        cls.cluster.fill_disk(PATTERN_DISK, seed=4)
        cls.cluster.start_corosync()
        cls.node = cls.cluster[1]
        for node in cls.cluster.nodes.values():
            Daemon(node).start()
            node.check(f"{DMSETUP} create leg --table '0 {DISKS_MIB[LEG_A] * 2048} linear /dev/vda 0'")

    def ctl(self, node: Node, arguments: str, code: int = 0) -> str:
        """cmirrorctl's output, errors included; it must end with `code`."""
        status, out = node.run(f"cmirrorctl {arguments}", timeout=120)
        self.assertEqual(status, code, out)
        return out

    def wait_status(self, node: Node, pattern: str, timeout: float = 120) -> re.Match[str]:
        """Wait until the status of the node has a match of `pattern`."""
        last = [""]

        def found() -> re.Match[str] | None:
            last[0] = node.run("cmirrorctl status", timeout=60)[1]
            return re.search(pattern, last[0])

        try:
            match = wait_for(f"{pattern!r} on node {node.nodeid}", found, timeout, interval=0.5)
        except TimeoutError as error:
            self.fail(f"{error}: {last[0]}")
        assert isinstance(match, re.Match)
        return match

    def make_leg(self, node: Node, target: str) -> None:
        """Another table for the leg's device."""
        table = f"0 {DISKS_MIB[LEG_A] * 2048} {target}"
        node.check(f"{DMSETUP} load leg --table '{table}' && {DMSETUP} suspend --nolockfs leg && {DMSETUP} resume leg", timeout=60)

    def copy_line(self, source: Node, target: Node) -> None:
        line = source.check(f"grep ^data {TAB}")
        target.check(f"touch {TAB}; sed -i /^data/d {TAB}; echo '{line}' >>{TAB}")

    def test_what_status_says_leads_to_a_whole_mirror_and_no_write_fails(self) -> None:
        first, second = self.cluster[1], self.cluster[2]
        self.cluster.fill_disk(LEG_A, seed=1)
        self.ctl(first, f"create data --leg {LEG} --leg /dev/vdb --log /dev/vdc --size {MIB}M --force")
        self.copy_line(first, second)
        self.ctl(second, "activate data")
        for node in (first, second):
            self.wait_status(node, ": healthy\n")
            self.assertIn(f"legs:       {LEG} ok\n              /dev/vdb ok\n", self.ctl(node, "status -v"))
        writers = [Writer(Mirror(node, "data"), PATTERN, 2, at_mib=node.nodeid * 4) for node in (first, second)]
        for writer in writers:
            writer.wait_more(2 * 16)  # all of it once

        told = (rf"data: its leg {LEG} has failed \(writes\), writes to the mirror wait\n"
                r"    -> if it works again: (cmirrorctl refresh data); else: (cmirrorctl .*) NEW\n")
        for node in (first, second):
            self.make_leg(node, "error")
        advice = [self.wait_status(node, told)[1] for node in (first, second)]
        for node, command in zip((first, second), advice):
            self.make_leg(node, "linear /dev/vda 0")
            self.assertIn("data: refreshed", node.check(command, timeout=120))
        for writer in writers:
            writer.wait_more(8)
        for node in (first, second):
            self.wait_status(node, ": healthy\n")

        for node in (first, second):
            self.make_leg(node, "error")
        advice = self.wait_status(first, told)[2]
        self.wait_status(second, f"its leg {LEG} has failed")
        self.assertIn('cmirror_legs_failed{mirror="data",uuid="CMIRROR-data"} 1\n', self.ctl(first, "metrics"))
        self.assertIn("replace that leg first", self.ctl(first, "replace-leg data /dev/vdb /dev/vde", 1))
        status, refusal = first.run(f"{advice} /dev/vde", timeout=120)
        self.assertEqual(status, 1, refusal)
        there_first = re.search(r'is active on node 2 as well. There first: "(cmirrorctl replace-leg --hold [^"]*)"', refusal)
        assert there_first is not None, refusal
        self.assertIn("its users wait", second.check(there_first[1], timeout=120))
        self.assertIn("is suspended on this node", self.ctl(second, "status", 1))
        self.wait_status(first, r"data  CMIRROR-data  active .* 1\*\n")
        self.assertIn("is being filled", first.check(f"{advice} /dev/vde", timeout=120))
        self.copy_line(first, second)
        self.assertIn("data: refreshed", self.ctl(second, "refresh data"))

        for writer in writers:
            writer.wait_more(8)
        for writer in writers:
            writer.stop()
        for node in (first, second):
            self.wait_status(node, ": healthy\n", timeout=240)
            self.assertIn("legs:       /dev/vdb ok\n              /dev/vde ok\n", self.ctl(node, "status -v"))
        a, b = (self.cluster.read_disk(disk, 0, MIB << 20) for disk in (LEG_B, SPARE))
        self.assertTrue(a == b, "the legs differ")
        for node in (first, second):
            mirror = Mirror(node, "data", mib=MIB)
            self.assertTrue(mirror.same_as(PATTERN, 2, at_mib=4) and mirror.same_as(PATTERN, 2, at_mib=8))

if __name__ == "__main__":
    vmtest.main()
