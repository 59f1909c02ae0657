"""cmirrord as a process: its start, its signals, its exit codes."""
import unittest

from arguments import daemon_and_unittest_arguments
from daemon import LOCK_FILE, Daemon, Log, Mirror
from vmcluster import Cluster

EXIT_LOCK_FILE_OR_USAGE, EXIT_CLUSTER_UNREACHABLE = 2, 6


class DaemonTest(unittest.TestCase):
    def setUp(self) -> None:
        self.node = cluster[1]
        self.daemon = Daemon(self.node)

    def start(self) -> None:
        self.daemon.start()
        self.addCleanup(self.stop_if_there)

    def stop_if_there(self) -> None:
        if self.daemon.is_running():
            self.daemon.stop()

    def mirror(self, kind: str, name: str = "m") -> Mirror:
        mirror = Mirror(cluster, self.node, name, Log(kind, f"uuid-of-{name}"))
        mirror.clear_log_device()
        self.addCleanup(mirror.remove_if_there)
        return mirror

    def test_help_needs_nothing(self) -> None:
        for option in "-h", "--help":
            status, text = self.node.run(f"cmirrord {option}")
            self.assertEqual(status, 0)
            self.assertIn("--foreground", text)

    def test_an_unknown_option_shows_the_usage(self) -> None:
        status, text = self.node.run("cmirrord --nonsense")
        self.assertEqual(status, EXIT_LOCK_FILE_OR_USAGE)
        self.assertIn("--nonsense", text)
        self.assertRegex(text, r"(?i)usage: cmirrord")

    def test_without_corosync_it_says_so(self) -> None:
        self.node.output("corosync-cfgtool -H")
        self.node.wait_for("! pidof corosync")
        self.addCleanup(cluster.start_corosync)
        for option in "", "-f":
            status, text = self.node.run(f"cmirrord {option}")
            self.assertEqual(status, EXIT_CLUSTER_UNREACHABLE, text)
            self.assertRegex(text, r"(?i)corosync")
            self.assertEqual(len(text.splitlines()), 1, text)
        self.assertEqual(self.node.run(f"test -e {LOCK_FILE}")[0], 1, "the lock file is left behind")

    def test_the_parent_ends_when_the_daemon_is_ready(self) -> None:
        self.start()
        self.assertTrue(self.daemon.is_running())
        mirror = self.mirror("core")
        mirror.create()

    def start_in_foreground(self) -> None:
        """With its output in /tmp/terminal and later its exit status in /tmp/status."""
        self.node.output("rm -f /tmp/status; (cmirrord -f >/tmp/terminal 2>&1; echo $? > /tmp/status) &")
        self.addCleanup(self.stop_if_there)
        # It is ready when it takes its signals from a descriptor: then they are blocked.
        self.node.wait_for(f"grep -q '^SigBlk:.*[1-9a-f]' /proc/$(cat {LOCK_FILE})/status")

    def test_in_the_foreground_it_writes_to_the_terminal(self) -> None:
        self.node.output(": > /var/log/messages")
        self.start_in_foreground()
        self.daemon.signal("USR1")
        self.node.wait_for("grep -q 'Official log list' /tmp/terminal")
        self.assertEqual(self.node.run("grep cmirrord /var/log/messages")[0], 1)

    def test_a_second_daemon_is_refused(self) -> None:
        self.start()
        pid = self.daemon.pid()
        for option in "", "-f":
            status, text = self.node.run(f"cmirrord {option}")
            self.assertEqual(status, EXIT_LOCK_FILE_OR_USAGE, text)
            self.assertIn(LOCK_FILE, text)
        self.assertEqual(self.daemon.pid(), pid)
        self.assertTrue(self.daemon.is_running())

    def test_a_lock_file_left_by_a_crash_is_no_obstacle(self) -> None:
        self.start()
        self.daemon.kill()
        self.assertEqual(self.node.run(f"test -e {LOCK_FILE}")[0], 0)
        self.daemon.start()
        self.assertTrue(self.daemon.is_running())

    def test_signals_to_stop_are_refused_while_a_mirror_exists_and_honoured_after(self) -> None:
        for name in "INT", "TERM", "QUIT", "HUP":
            with self.subTest(signal=name):
                self.start()
                pid = self.daemon.pid()
                mirror = self.mirror("core")
                mirror.create()
                since = self.daemon.log_lines()
                self.daemon.signal(name)
                self.daemon.wait_logged(rf"daemon\.err cmirrord.*SIG{name}.*{mirror.log.uuid}", since)
                mirror.wait_synchronised()
                self.assertEqual(self.daemon.pid(), pid)
                mirror.remove()
                self.daemon.signal(name)
                self.daemon.wait_gone(pid)
                self.assertEqual(self.node.run(f"test -e {LOCK_FILE}")[0], 1, "the lock file is left behind")

    def test_it_exits_with_0_when_stopped(self) -> None:
        self.start_in_foreground()
        self.daemon.stop()
        self.node.wait_for("test -s /tmp/status")
        self.assertEqual(self.node.output("cat /tmp/status"), "0", self.node.output("cat /tmp/terminal"))

    def test_a_snapshot_tells_about_every_log(self) -> None:
        self.start()
        for kind in "core", "disk":
            with self.subTest(kind=kind):
                mirror = self.mirror(kind, kind)
                mirror.create()
                mirror.wait_synchronised()
                text = self.daemon.snapshot()
                self.assertIn(mirror.log.uuid, text)
                self.assertRegex(text, r"state *: \S+")
                self.assertRegex(text, rf"type *: clustered.{kind}")
                self.assertRegex(text, r"region_size *: 512 sectors")
                self.assertRegex(text, rf"sync_count *: {mirror.regions}/{mirror.regions} \(100.0%\)")
                self.assertRegex(text, r"device *: .*254:32.*working" if kind == "disk" else r"device *: none")
                mirror.remove()

    def test_it_works_on_after_a_snapshot(self) -> None:
        self.start()
        mirror = self.mirror("core")
        mirror.create()
        for _ in range(5):
            self.daemon.signal("USR1")
        mirror.wait_synchronised()


def setUpModule() -> None:
    global cluster
    cluster = unittest.enterModuleContext(Cluster(1, [arguments.daemon]))
    cluster.start_corosync()


if __name__ == "__main__":
    arguments, rest = daemon_and_unittest_arguments()
    unittest.main(argv=rest, verbosity=2)
