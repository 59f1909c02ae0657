"""A whole session of an administrator on three nodes: from the package's installation to its removal."""
from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import vmtest
from mirrors import Daemon, Mirror, Writer
from vmcluster import Cluster, Node, NodeError, wait_for

LEG_A, LEG_B, LOG_DISK, PATTERN_DISK, SPARE = range(5)
DISKS_MIB = (64, 64, 8, 16, 64)
PATTERN = "/dev/vdd"
MIB = 32
TAB = "/etc/cmirrortab"
DEB = "/root/cmirrord.deb"
NEXT_DEB = "/root/cmirrord-next.deb"
NEXT_VERSION = "99.0.0"
# What dpkg runs; the maintainer scripts are the package's.
TOOLS = ("/usr/bin/dpkg", "/usr/bin/dpkg-deb", "/usr/bin/dpkg-query", "/usr/bin/dpkg-split", "/usr/bin/tar", "/usr/bin/rm", "/sbin/ldconfig",
         "/sbin/start-stop-daemon")

# By its path, or the nodes' shell takes busybox's.
DPKG = "PATH=/usr/bin:/usr/sbin:/sbin:/bin /usr/bin/dpkg --force-depends"

_package: list[Path] = []


def next_version(package: Path, folder: Path) -> Path:
    """The same package under a version that is yet to come."""
    subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(folder / "next")], check=True)
    control = folder / "next/DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {NEXT_VERSION}", control.read_text()))
    built = folder / "next.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", str(folder / "next"), str(built)], check=True, stdout=subprocess.DEVNULL)
    return built


class PackageTest(vmtest.ClusterTest):
    """Nodes with dpkg, and two versions of the package to install."""

    @classmethod
    def setUpClass(cls) -> None:
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        subprocess.run(["dpkg", "-x", str(_package[0]), str(folder)], check=True)
        programs = [str(folder / "usr/sbin" / name) for name in ("cmirrord", "cmirrorctl")] + [str(folder / "usr/bin/cmirror-sim")]
        files = {DEB.strip("/"): _package[0], NEXT_DEB.strip("/"): next_version(_package[0], folder), "var/lib/dpkg/status": "", "var/lib/dpkg/available": "", "var/lib/dpkg/info/format": "1\n",
                 "var/lib/dpkg/updates/.keep": "", "var/lib/dpkg/triggers/.keep": "", "etc/dpkg/dpkg.cfg": ""}
        cls.cluster = cls.enterClassContext(Cluster(nodes=cls.NODES, disks_mib=DISKS_MIB, files=files, tools=TOOLS,
                                                    libraries_of=programs))
        cls.cluster.fill_disk(PATTERN_DISK, seed=4)
        cls.cluster.start_corosync()
        cls.node = cls.cluster[1]

    def upgrade_each(self, mirrors: tuple[Mirror, ...]) -> None:
        """The next version comes to every node in turn, and the daemons change over, while the mirrors are written to on all nodes."""
        nodes = self.cluster.nodes
        writers = [Writer(mirror.on(node), PATTERN, 2, at_mib=node.nodeid * 2) for node in nodes.values() for mirror in mirrors]
        longest = 0.0
        for node in nodes.values():
            before = [writer.written() for writer in writers]
            daemon = Daemon(node)
            pid = daemon.pid()
            self.assertIn("Setting up cmirrord", node.check(f"{DPKG} --install {NEXT_DEB}", timeout=180))
            self.assertEqual(node.check("/usr/bin/dpkg-query --show --showformat '${Version}' cmirrord"), NEXT_VERSION)
            self.assertEqual(daemon.pid(), pid, "the daemon that serves mirrors runs on")
            away = daemon.kill_and_start(pause_s=1)
            for writer in writers:
                writer.wait_more(16)
            stall = max(writer.longest_pause(since - 1) for writer, since in zip(writers, before))
            print(f"node {node.nodeid}: {stall:.2f} s, of which there was no daemon for {away:.2f} s", flush=True)
            longest = max(longest, stall)
        for writer in writers:
            writer.stop()
        print(f"longest stall on {len(nodes)} node(s) while the next version is installed and the daemons change over: {longest:.2f} s", flush=True)
        for node in nodes.values():
            self.assertNotIn("timed out", node.kernel_log(), "the kernel did not have to wait for 15 s")
            self.assertNotRegex(node.kernel_log(), r"I/O error|log.*failed", "no write failed")
            for mirror in mirrors:
                self.assertTrue(mirror.on(node).status().complete, f"{mirror.name} is resynchronised on node {node.nodeid}")
        for mirror in mirrors:
            self.assert_legs_equal(mirror)


class SessionTest(PackageTest):
    """The steps of one session, in the order of their names."""

    NODES = 3

    def setUp(self) -> None:
        if getattr(type(self), "broken", False):
            self.fail("an earlier step failed")
        type(self).broken = True

    def passed(self) -> None:
        type(self).broken = False

    def ctl(self, node: int, arguments: str, code: int = 0, timeout: float = 120) -> str:
        """cmirrorctl's output, errors included; it must end with `code`."""
        status, out = self.cluster[node].run(f"cmirrorctl {arguments}", timeout=timeout)
        self.assertEqual(status, code, out)
        return out

    def status(self, node: int) -> dict:
        status, out = self.cluster[node].run("cmirrorctl status --json", timeout=60)
        self.assertIn(status, (0, 1), out)
        return json.loads(out)

    def wait_healthy(self, nodes: tuple[int, ...], timeout: float = 240) -> None:
        for node in nodes:
            try:
                wait_for(f"node {node} is healthy", lambda node=node: self.status(node)["healthy"], timeout, interval=0.5)
            except TimeoutError as error:
                self.fail(f"{error}: {self.ctl(node, 'status', 1)}")

    def copy_line(self, source: int, targets: tuple[int, ...]) -> None:
        """The mirror's line, as an administrator copies it."""
        line = self.cluster[source].check(f"grep ^data {TAB}")
        for target in targets:
            self.cluster[target].check(f"touch {TAB}; sed -i /^data/d {TAB}; echo '{line}' >>{TAB}")

    def test_1_package_is_installed(self) -> None:
        for node in self.cluster.nodes.values():
            out = node.check(f"{DPKG} --install {DEB}", timeout=180)
            self.assertIn("Setting up cmirrord", out)
            node.check("cmirrord --help")
        out = self.ctl(1, "status", 3)
        self.assertIn("systemctl start lvm2-cmirrord", out)
        document = json.loads(self.ctl(1, "status --json 2>/dev/null", 3))
        self.assertEqual((document["version"], document["running"]), (1, False))
        self.assertIn("FAIL cmirrord does not answer", self.ctl(1, "check", 3))
        for node in self.cluster.nodes.values():
            Daemon(node).start()
            self.assertIn("everything is set up", self.ctl(node.nodeid, "check"))
        self.assertRegex(self.ctl(2, "status"), r"^node 2, cmirrord [0-9.]+: healthy\ncluster: connected, quorate, 3 nodes; 0 logs$")
        self.passed()

    def test_2_mirror_is_created_and_watched_while_it_is_filled(self) -> None:
        for disk, seed in ((LEG_A, 1), (LEG_B, 2)):
            self.cluster.fill_disk(disk, seed)
        out = self.ctl(1, "create data --leg /dev/vda --leg /dev/vda", 1)
        self.assertIn("is given twice", out)
        out = self.ctl(1, f"create data --leg /dev/vda --leg /dev/vdb --log /dev/vdc --size {MIB}M")
        self.assertIn("data: active, 32M", out)
        watcher = self.cluster[1].start("exec cmirrorctl watch --interval 0.2", "watch")
        self.assertIn("/dev/vda: is in use", self.ctl(1, "create other --leg /dev/vda --leg /dev/vde", 1))
        self.copy_line(1, (2, 3))
        for node in (2, 3):
            self.assertIn("data: active", self.ctl(node, "activate --all"))
        self.wait_healthy((1, 2, 3))
        self.cluster[1].check("kill $(pidof cmirrorctl)")
        screens = watcher.output()
        self.assertRegex(screens, r"\[#+\.+\] \d+\.\d%\n  [.dR-]*R[.dR-]*\n")
        self.assertRegex(screens, r"\[#+\] 100\.0%\n  \.+\n")
        text = self.ctl(3, "status")
        self.assertRegex(text, r"data  CMIRROR-data  active +100\.0% +\d+  - +254:32 ok +1\* 2 3\n?$")
        self.assertRegex(self.ctl(2, "check"), r"ok   log CMIRROR-data: all 3 members run version [0-9.]+\nok   mirror data is active\n"
                                               r"everything is set up")
        self.assertIn("log CMIRROR-data: all regions are in sync", self.ctl(1, "dump"))
        self.assert_legs_equal(Mirror(self.node, "data", mib=MIB))
        self.passed()

    def test_2b_next_version_is_installed_under_load(self) -> None:
        core = Mirror(self.node, "core", mib=8, offset_mib=MIB)
        for node in self.cluster.nodes.values():
            core.on(node).create()
        core.wait_in_sync()
        self.upgrade_each((Mirror(self.node, "data", mib=MIB), core))
        for node in self.cluster.nodes.values():
            core.on(node).remove()
        self.passed()

    def test_3_lost_node_is_told_with_what_to_do(self) -> None:
        writer = Writer(Mirror(self.cluster[3], "data"), PATTERN, 2, at_mib=4)
        writer.wait_more(20)
        self.assertIn("node 3 is in the cluster at this moment, nothing was done", self.ctl(1, "node-gone 3", 1))
        self.cluster[3].kill()
        def told() -> str | None:
            status, out = self.cluster[1].run("cmirrorctl status", timeout=60)
            return out if status == 1 and "node 3 is away" in out else None
        text = str(wait_for("status tells of the lost node", told, 90, interval=0.5))
        self.assertRegex(text, r"data: node 3 is away and may still write \d+ regions?\n    -> once it is certainly dead \(fenced, power off\): "
                               r"cmirrorctl node-gone 3")
        self.assertIn("node 3 is gone: told to 1 log", self.ctl(1, "node-gone 3"))
        text = str(wait_for("status asks for a refresh", lambda: (lambda out: out if "cmirrorctl refresh" in out else None)(
            self.cluster[1].run("cmirrorctl status", timeout=60)[1]), 60, interval=0.5))
        advice = re.search(r"-> on any one node: (cmirrorctl refresh data)", text)
        assert advice is not None
        self.cluster[1].check(advice[1], timeout=120)
        self.wait_healthy((1, 2))
        self.assertRegex(self.ctl(1, "metrics"), r"(?m)^cmirror_regions_in_sync\{mirror=\"data\",uuid=\"CMIRROR-data\"\} 64$")
        self.assertIn("node 3 is lost", self.ctl(1, "dump"))
        self.passed()

    def test_4_leg_is_replaced(self) -> None:
        mirror = Mirror(self.cluster[2], "data", mib=MIB)
        mirror.write_from(PATTERN, 8, at_mib=16)
        self.cluster.fill_disk(SPARE, seed=9)
        self.assertIn("data: is active on node 2 as well", self.ctl(1, "replace-leg data /dev/vda /dev/vde", 1))
        self.assertIn("its users wait", self.ctl(2, "replace-leg --hold data /dev/vda /dev/vde"))
        wait_for("node 2 has left the log", lambda: len(self.status(1)["logs"][0]["members"]) == 1, 60)
        self.assertIn("is being filled", self.ctl(1, "replace-leg data /dev/vda /dev/vde"))
        self.copy_line(1, (2,))
        self.assertIn("data: refreshed", self.ctl(2, "refresh data"))
        self.wait_healthy((1, 2))
        self.assertIn("CMIRROR-data.2", self.ctl(2, "status"))
        a, b = (self.cluster.read_disk(disk, 0, MIB << 20) for disk in (LEG_B, SPARE))
        self.assertTrue(a == b, "the legs differ")
        self.assertTrue(mirror.same_as(PATTERN, 8, at_mib=16))
        self.passed()

    def test_5_everything_is_removed(self) -> None:
        status, out = self.cluster[1].run(f"{DPKG} --remove cmirrord", timeout=60)
        self.assertNotEqual(status, 0, out)
        self.assertIn("mirrors are active", out)
        for node in (1, 2):
            self.assertIn("data: removed from this node", self.ctl(node, "remove data"))
            self.assertNotIn("data", self.cluster[node].check("dmsetup ls"))
            daemon = Daemon(self.cluster[node])
            daemon.signal("TERM")
            daemon.wait_gone()
            self.cluster[node].check(f"{DPKG} --purge cmirrord", timeout=60)
            left = self.cluster[node].run("ls /usr/sbin/cmirror* /lib/systemd/system/*cmirror* /etc/default/cmirrord /run/cmirrord* "
                                          f"/usr/share/cmirrord {TAB} 2>/dev/null")[1]
            self.assertEqual(left, "")
        self.passed()


class OneNodeTest(PackageTest):
    """A node by itself."""

    def test_next_version_is_installed_under_load(self) -> None:
        self.node.check(f"{DPKG} --install {DEB}", timeout=180)
        Daemon(self.node).start()
        for disk, seed in ((LEG_A, 1), (LEG_B, 2), (LOG_DISK, 3)):
            self.cluster.fill_disk(disk, seed)
        log = ("clustered-disk", self.node.check("cat /sys/block/vdc/dev"))
        mirrors = (Mirror(self.node, "core", mib=8), Mirror(self.node, "disk", log=log, mib=8, offset_mib=8))
        for mirror in mirrors:
            mirror.create().wait_in_sync()
        self.upgrade_each(mirrors)


def main() -> None:
    """The package is the first argument."""
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} <package.deb or its folder> [options of unittest]")
    path = Path(sys.argv.pop(1))
    found = sorted(path.glob("cmirrord_*.deb")) if path.is_dir() else [path]
    if not found or not found[0].exists():
        sys.exit(f"{path}: there is no package: scripts/package builds it")
    _package.append(found[0])
    vmtest.main()


__all__ = ["Node", "NodeError", "unittest"]

if __name__ == "__main__":
    main()
