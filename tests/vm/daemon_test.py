"""The daemon's life on a node: start, signals, status, and what it says when it cannot work."""
from __future__ import annotations

import re
import unittest

from mirrors import Daemon
from vmcluster import wait_for
from vmtest import ClusterTest, DaemonTest, main

EXIT_LOCK_OR_USAGE, EXIT_KERNEL_BIND, EXIT_CLUSTER = 2, 4, 6


class LifeTest(DaemonTest):
    """With corosync, in the background."""

    def test_it_is_ready_when_its_parent_returns(self) -> None:
        self.daemon.signal("INT")
        self.daemon.wait_gone()
        self.daemon.start()
        pid = self.daemon.pid()
        self.assertEqual(self.node.check(f"cat {Daemon.LOCK_FILE}").strip(), str(pid))
        self.core_mirror().create()
        self.assertEqual(self.node.check(f"readlink /proc/{pid}/cwd"), "/")
        session = self.node.check(f"cut -d' ' -f6 /proc/{pid}/stat")
        self.assertNotEqual(session, self.node.check("cut -d' ' -f6 /proc/1/stat"), "it has left the session that started it")

    def test_signals_are_refused_while_a_mirror_exists_and_honoured_afterwards(self) -> None:
        mirror = self.core_mirror().create()
        pid = self.daemon.pid()
        for name in ("INT", "TERM", "QUIT", "HUP"):
            with self.subTest(name):
                before = self.daemon.log()
                self.daemon.signal(name)
                self.daemon.wait_logged(rf"SIG{name}.*{re.escape(mirror.log_uuid)}", since=before)
                self.assertEqual(self.daemon.pid(), pid)
        mirror.wait_in_sync()
        mirror.remove()
        self.daemon.signal("INT")
        self.daemon.wait_gone()
        self.assertEqual(self.node.run(f"ls {Daemon.LOCK_FILE}")[0], 1, "the lock file is gone")

    def test_a_status_snapshot_is_logged_on_request(self) -> None:
        core = self.core_mirror("core", mib=16).create()
        disk = self.disk_mirror("disk", mib=16, offset_mib=32).create()
        for mirror in (core, disk):
            mirror.wait_in_sync()
        before = self.daemon.log()
        self.daemon.signal("USR1")
        snapshot = self.daemon.wait_logged(r"Official log list: 2[\s\S]*rounds[\s\S]*rounds", since=before)
        for fact in (core.log_uuid, disk.log_uuid, r"region_size +: 1024", r"region_count +: 32", r"sync_count +: 32/32 \(100\.0%\)",
                     rf"device +: {self.log_device()}: working", r"node 1 process \d+: valid, server", r"pending +: none"):
            self.assertRegex(snapshot, fact)
        self.assertTrue(core.status().complete)

    def test_a_second_daemon_is_refused(self) -> None:
        pid = self.daemon.pid()
        status, out = self.node.run("cmirrord -f")
        self.assertEqual(status, EXIT_LOCK_OR_USAGE)
        self.assertIn(Daemon.LOCK_FILE, out)
        self.assertEqual(self.node.run("cmirrord")[0], EXIT_LOCK_OR_USAGE)
        self.assertEqual(self.daemon.pid(), pid)

    def test_it_works_in_the_foreground(self) -> None:
        self.daemon.signal("INT")
        self.daemon.wait_gone()
        job = self.daemon.start_in_foreground()
        wait_for("cmirrord has its lock file", lambda: self.node.run(f"[ -s {Daemon.LOCK_FILE} ]")[0] == 0, timeout=30)
        wait_for("a mirror can be created", lambda: self.node.run(f"dmsetup create core --table '{self.core_mirror().table()}'")[0] == 0,
                 timeout=30)
        mirror = self.core_mirror()
        mirror.wait_in_sync()
        self.daemon.signal("INT")
        wait_for("the refusal on the terminal", lambda: mirror.log_uuid in job.output() and "SIGINT" in job.output(), timeout=30)
        mirror.remove()
        self.daemon.signal("INT")
        self.assertEqual(job.wait(), 0)

    def test_it_takes_little_memory(self) -> None:
        mirror = self.core_mirror(mib=64, region_sectors=8).create()
        mirror.status()
        found = re.search(r"VmRSS:\s+(\d+) kB", self.node.check(f"cat /proc/{self.daemon.pid()}/status"))
        assert found is not None
        self.assertLess(int(found[1]), 64 * 1024)


class RefusalTest(ClusterTest):
    """Where something that it needs is missing."""

    def test_help(self) -> None:
        status, out = self.node.run("cmirrord --help 2>/dev/null")
        self.assertEqual(status, 0)
        self.assertRegex(out, "(?i)usage: cmirrord")

    def test_an_unknown_option(self) -> None:
        status, out = self.node.run("cmirrord --frobnicate 2>&1 >/dev/null")
        self.assertEqual(status, EXIT_LOCK_OR_USAGE)
        self.assertRegex(out, "(?i)usage: cmirrord")

    def test_missing_rights_are_named(self) -> None:
        for right in ("net_admin", "sys_admin"):
            with self.subTest(right):
                without = f"/usr/bin/setpriv --bounding-set=-{right} --inh-caps=-{right} cmirrord"
                for options in ("-f", ""):
                    status, out = self.node.run(f"{without} {options}")
                    self.assertEqual(status, EXIT_KERNEL_BIND)
                    self.assertIn(f"CAP_{right.upper()}", out + Daemon(self.node).log())

    def test_without_corosync(self) -> None:
        self.cluster.stop_corosync(self.node)
        for options in ("-f", ""):
            status, out = self.node.run(f"cmirrord {options}")
            self.assertEqual(status, EXIT_CLUSTER)
            self.assertRegex(out + Daemon(self.node).log(), "corosync")
            self.assertEqual(self.node.run(f"ls {Daemon.LOCK_FILE}")[0], 1, "no lock file stays behind")
        self.cluster.start_corosync()
        Daemon(self.node).start()


if __name__ == "__main__":
    unittest.TestCase.maxDiff = None
    main()
