"""The virtual machines themselves: what the other tests rely on."""
from __future__ import annotations

import time
import unittest

from mirrors import Mirror
from vmcluster import NodeGone, wait_for
from vmtest import LEG_A, LEG_B, PATTERN, ClusterTest, main


class HarnessTest(ClusterTest):
    """One machine without the daemon."""

    def test_a_command_gives_its_status_and_output(self) -> None:
        self.assertEqual(self.node.run("echo one\necho two >&2; exit 3"), (3, "one\ntwo"))
        self.assertEqual(self.node.run("printf 'no newline'"), (0, "no newline"))

    def test_a_job_runs_beside_other_commands(self) -> None:
        job = self.node.start("until [ -e /tmp/go ]; do usleep 10000; done; echo gone; exit 5")
        self.assertIsNone(job.status())
        self.node.check("touch /tmp/go")
        self.assertEqual(job.wait(), 5)
        self.assertEqual(job.output(), "gone")

    def test_processes_are_found_by_name(self) -> None:
        self.assertEqual(len(self.node.pids("corosync")), 1)
        self.assertEqual(self.node.pids("no-such-program"), [])

    def test_one_member_is_quorate(self) -> None:
        self.cluster.wait_quorate(self.node, members=1, timeout=5)

    def test_the_kernel_has_the_targets_and_the_userspace_log(self) -> None:
        self.assertRegex(self.node.check("dmsetup targets"), r"(?m)^mirror\s+v1\.")
        self.assertRegex(self.node.check("cat /proc/modules"), r"(?m)^dm_log_userspace ")
        self.assertIn("dm-log-userspace: version 1.3.0 loaded", self.node.kernel_log())

    def test_the_connector_knows_the_userspace_log(self) -> None:
        self.assertRegex(self.node.check("cat /proc/net/connector"), r"(?m)^dmlogusr\s+7:1$")

    def test_writes_to_a_disk_are_seen_here(self) -> None:
        self.node.check(f"dd if={PATTERN} of=/dev/vda bs=1M count=2 oflag=direct conv=notrunc,fsync")
        self.assertEqual(self.cluster.read_disk(0, 0, 2 << 20), self.cluster.read_disk(3, 0, 2 << 20))

    def test_a_mirror_with_the_kernels_own_log(self) -> None:
        self.cluster.fill_disk(LEG_A, seed=1)
        self.cluster.fill_disk(LEG_B, seed=2)
        mirror = Mirror(self.node, "plain", log=("core",)).create()
        self.addCleanup(mirror.remove)
        status = mirror.wait_in_sync()
        self.assertEqual((status.regions, status.health, status.log), (64, "AA", ("core",)))
        self.assert_legs_equal(mirror)
        mirror.write_from(PATTERN, mib=4, at_mib=8)
        self.assertTrue(mirror.same_as(PATTERN, mib=4, at_mib=8))
        self.assertFalse(mirror.same_as(PATTERN, mib=4, at_mib=9))
        self.assert_leg_holds_pattern(mirror, mib=4, at_mib=8)
        self.assert_legs_equal(mirror)

    def test_a_userspace_log_without_a_daemon_is_refused(self) -> None:
        status, out = self.node.run(f"dmsetup create lost --table '{Mirror(self.node, 'lost').table()}'")
        self.assertNotEqual(status, 0)
        self.assertIn("failed", out)
        self.assertIn("server not found", self.node.kernel_log().lower())

    def test_z_a_power_cut_is_noticed_and_the_node_boots_again(self) -> None:
        self.node.kill()
        with self.assertRaises((NodeGone, OSError)):
            self.node.run("true")
        type(self).node = self.cluster.boot(1)
        self.assertEqual(self.node.check("echo back"), "back")


class WaitTest(unittest.TestCase):
    """Waiting for conditions."""

    def test_a_condition_that_holds_is_not_waited_for(self) -> None:
        self.assertEqual(wait_for("it", lambda: "yes", timeout=0), "yes")

    def test_a_condition_that_never_holds_is_named(self) -> None:
        begin = time.monotonic()
        with self.assertRaisesRegex(TimeoutError, "the moon"):
            wait_for("the moon", lambda: False, timeout=0.05, interval=0.01)
        self.assertLess(time.monotonic() - begin, 5)


if __name__ == "__main__":
    main()
