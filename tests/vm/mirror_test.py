"""Mirrors of a real kernel over the daemon, on one node."""
from __future__ import annotations

import unittest
from collections.abc import Callable

from mirrors import LOG_MAGIC, Mirror
from vmcluster import Job, wait_for
from vmtest import LOG_DISK, PATTERN, DaemonTest, main

PATTERN_MIB = 4
# A region stays marked for a while after the last write, in case there is another one.
IDLE_S = 30.0


class MirrorTest(DaemonTest):
    """What an administrator does with mirrors."""

    def start_writing(self, mirror: Mirror, mib: int = PATTERN_MIB) -> Job:
        """Write the pattern to the beginning of the mirror, again and again, until /tmp/stop exists; ends with 0 if no write failed."""
        self.node.check("rm -f /tmp/stop /tmp/written")
        return self.node.start(
            f"while ! [ -e /tmp/stop ]; do for i in $(seq 0 {mib * 16 - 1}); do"
            f" dd if={PATTERN} of={mirror.path} bs=64k count=1 skip=$i seek=$i oflag=direct conv=notrunc 2>/dev/null || exit 1;"
            " echo >>/tmp/written; done; done", "writer")

    def stop_writing(self, job: Job) -> None:
        self.node.check("touch /tmp/stop")
        self.assertEqual(job.wait(timeout=180), 0, "a write failed")

    def written(self) -> int:
        return int(self.node.check("[ -e /tmp/written ] && wc -l </tmp/written || echo 0"))

    def wait_more_written(self, count: int = 8, timeout: float = 90) -> None:
        """Wait until so many more writes have ended."""
        begin = self.written()
        wait_for("writes go on", lambda: self.written() >= begin + count, timeout)

    def check_written(self, mirror: Mirror) -> None:
        """Write the pattern, read it back, and compare the legs."""
        mirror.write_from(PATTERN, mib=PATTERN_MIB, at_mib=3)
        self.assertTrue(mirror.same_as(PATTERN, mib=PATTERN_MIB, at_mib=3))
        self.assert_leg_holds_pattern(mirror, mib=PATTERN_MIB, at_mib=3)
        self.assert_legs_equal(mirror)

    # -- from creation to removal
    def test_a_core_mirror_is_resynchronised_written_and_removed(self) -> None:
        mirror = self.core_mirror().create()
        status = mirror.wait_in_sync()
        self.assertEqual((status.in_sync, status.regions, status.health), (64, 64, "AA"))
        self.assertEqual(status.log, ("clustered-core",))
        self.assert_legs_equal(mirror)
        self.check_written(mirror)
        mirror.remove()
        self.assertEqual(self.node.check("dmsetup ls"), "No devices found")

    def test_a_disk_mirror_is_resynchronised_written_and_removed(self) -> None:
        mirror = self.disk_mirror().create()
        status = mirror.wait_in_sync()
        self.assertEqual((status.in_sync, status.regions, status.health), (64, 64, "AA"))
        self.assertEqual(status.log, ("clustered-disk", self.log_device(), "A"))
        self.assert_legs_equal(mirror)
        self.check_written(mirror)
        mirror.remove()
        self.assertEqual(self.node.check("dmsetup ls"), "No devices found")

    def test_a_mirror_keeps_its_table(self) -> None:
        mirror = self.disk_mirror().create()
        table = self.node.check("dmsetup table disk")
        self.assertIn(f"userspace 4 {mirror.log_uuid} clustered-disk {self.log_device()} 1024", table)

    def test_the_log_device_can_be_named_by_its_path(self) -> None:
        mirror = Mirror(self.node, "path", log=("clustered-disk", "/dev/vdc")).create()
        log = mirror.wait_in_sync().log
        self.assertEqual((log[0], log[2]), ("clustered-disk", "A"))
        self.assertIn(self.log_device(), self.node.check("dmsetup deps path").replace("(", "").replace(", ", ":"))

    def test_integrated_flush(self) -> None:
        for make in (self.core_mirror, self.disk_mirror):
            with self.subTest(make.__name__):
                mirror = make(integrated_flush=True).create()
                self.assertTrue(mirror.wait_in_sync().complete)
                self.check_written(mirror)
                mirror.remove()

    def test_a_mirror_whose_size_is_no_multiple_of_the_region_size(self) -> None:
        mirror = self.core_mirror(mib=9, region_sectors=4096).create()
        self.assertEqual(mirror.wait_in_sync().regions, 5)
        self.check_written(mirror)

    def test_nosync_resynchronises_nothing(self) -> None:
        mirror = self.core_mirror(flags=("nosync",)).create()
        self.assertTrue(mirror.status().complete)

    def test_two_mirrors_at_once(self) -> None:
        first = self.core_mirror("first", mib=16).create()
        second = self.disk_mirror("second", mib=16, offset_mib=32).create()
        for mirror in (first, second):
            mirror.wait_in_sync()
        for mirror in (first, second):
            self.check_written(mirror)

    def test_a_table_that_makes_no_sense_is_refused(self) -> None:
        for words in ("clustered-core 1000", "clustered-core", "clustered-disk 1024", "clustered-disk 250:250 1024", "clustered-tape 1024"):
            with self.subTest(words):
                log = f"userspace {len(words.split()) + 1} LVM-test-bad {words}"
                status, _ = self.node.run(f"dmsetup create bad --table '0 65536 mirror {log} 2 /dev/vda 0 /dev/vdb 0'", timeout=90)
                self.assertNotEqual(status, 0)
                self.assertIsNotNone(self.daemon.pid())

    # -- writes while regions are out of sync
    def test_writes_during_resynchronisation(self) -> None:
        mirror = self.disk_mirror(mib=48).create()
        writer = self.start_writing(mirror)
        self.wait_more_written()
        mirror.wait_in_sync()
        self.wait_more_written()
        self.stop_writing(writer)
        self.assertTrue(mirror.same_as(PATTERN, mib=PATTERN_MIB))
        self.assert_legs_equal(mirror)

    # -- suspend, resume, reload
    def test_suspend_and_resume(self) -> None:
        for make in (self.core_mirror, self.disk_mirror):
            with self.subTest(make.__name__):
                mirror = make().create()
                mirror.wait_in_sync()
                mirror.suspend()
                mirror.resume()
                self.assertTrue(mirror.status().complete, "a suspend and resume resynchronises nothing")
                self.check_written(mirror)
                mirror.remove()

    def test_suspend_in_the_middle_of_resynchronisation(self) -> None:
        mirror = self.core_mirror(mib=64).create()
        mirror.suspend()
        before = mirror.status()
        mirror.resume()
        self.assertGreaterEqual(mirror.status().in_sync, before.in_sync)
        mirror.wait_in_sync()
        self.assert_legs_equal(mirror)

    def test_suspend_and_resume_again_and_again_during_writes(self) -> None:
        mirror = self.disk_mirror().create()
        writer = self.start_writing(mirror)
        for _ in range(5):
            self.wait_more_written(count=3)
            mirror.suspend()
            mirror.resume()
        self.stop_writing(writer)
        mirror.wait_in_sync()
        self.assertTrue(mirror.same_as(PATTERN, mib=PATTERN_MIB))
        self.assert_legs_equal(mirror)

    def test_reload_with_a_new_table(self) -> None:
        for make in (self.core_mirror, self.disk_mirror):
            with self.subTest(make.__name__):
                mirror = make(mib=32).create()
                mirror.wait_in_sync()
                larger = make(mib=40)
                mirror.load(larger)
                self.assertEqual(mirror.status().regions, 64, "the old table is still live")
                mirror.suspend()
                mirror.resume()
                status = larger.wait_in_sync()
                self.assertEqual(status.regions, 80)
                self.check_written(larger)
                larger.remove()

    def test_reload_with_a_new_table_during_writes(self) -> None:
        mirror = self.disk_mirror().create()
        mirror.wait_in_sync()
        writer = self.start_writing(mirror)
        self.wait_more_written()
        mirror.load(mirror)
        mirror.suspend()
        mirror.resume()
        self.wait_more_written()
        self.stop_writing(writer)
        mirror.wait_in_sync()
        self.assertTrue(mirror.same_as(PATTERN, mib=PATTERN_MIB))
        self.assert_legs_equal(mirror)

    def test_a_loaded_table_can_be_cleared(self) -> None:
        mirror = self.core_mirror().create()
        mirror.wait_in_sync()
        mirror.load(mirror)
        self.node.check("dmsetup clear core")
        self.assertTrue(mirror.status().complete)
        self.check_written(mirror)

    # -- the log device
    def wait_clean(self, regions: int) -> None:
        wait_for("every region is clean on the log device", lambda: self.log_image().clean == (True,) * regions, IDLE_S)

    def test_the_log_device_after_resynchronisation(self) -> None:
        mirror = self.disk_mirror(mib=35).create()
        mirror.wait_in_sync()
        self.wait_clean(70)
        image = self.log_image()
        self.assertEqual((image.magic, image.version, image.regions), (LOG_MAGIC, 2, 70))
        unused = self.cluster.read_disk(LOG_DISK, 1024 + 8, 4)
        self.assertEqual(int.from_bytes(unused, "little") >> 6, 0, "bits past the last region are clear")

    def test_a_region_is_dirty_on_the_log_device_while_it_is_written(self) -> None:
        mirror = self.disk_mirror().create()
        mirror.wait_in_sync()
        self.wait_clean(64)
        writer = self.start_writing(mirror, mib=1)
        self.wait_more_written()
        for _ in range(20):
            clean = self.log_image().clean
            self.assertFalse(clean[0], "region 0 is being written")
            self.assertTrue(all(clean[2:]), "no one writes there")
        self.stop_writing(writer)
        self.wait_clean(64)

    def test_a_mirror_that_was_in_sync_needs_no_resynchronisation(self) -> None:
        mirror = self.disk_mirror().create()
        mirror.wait_in_sync()
        self.check_written(mirror)
        mirror.remove()
        mirror.create()
        self.assertTrue(mirror.status().complete)

    def test_a_mirror_that_grew_resynchronises_what_is_new(self) -> None:
        mirror = self.disk_mirror(mib=16).create()
        mirror.wait_in_sync()
        mirror.remove()
        larger = self.disk_mirror(mib=32).create()
        self.assertGreaterEqual(larger.status().in_sync, 32)
        larger.wait_in_sync()
        self.assert_legs_equal(larger)
        larger.remove()
        self.wait_clean(64)
        smaller = self.disk_mirror(mib=8).create()
        self.assertTrue(smaller.status().complete)
        smaller.remove()
        self.assertEqual(self.log_image().regions, 16)

    # -- the daemon and the machine fail
    def crash_and_restart(self, while_gone: Callable[[], None] = lambda: None) -> None:
        self.daemon.crash()
        while_gone()
        self.daemon.start()

    def test_writes_go_on_when_the_daemon_is_killed_and_started_again(self) -> None:
        for make in (self.core_mirror, self.disk_mirror):
            with self.subTest(make.__name__):
                mirror = make().create()
                mirror.wait_in_sync()
                writer = self.start_writing(mirror)
                self.wait_more_written()
                self.crash_and_restart()
                self.wait_more_written()
                self.assertTrue(mirror.status().complete, "nothing is resynchronised for a restart")
                self.stop_writing(writer)
                self.assertTrue(mirror.same_as(PATTERN, mib=PATTERN_MIB))
                self.assert_legs_equal(mirror)
                mirror.remove()

    def test_the_first_write_after_the_daemon_was_started_again_goes_to_both_legs(self) -> None:
        for make in (self.core_mirror, self.disk_mirror):
            with self.subTest(make.__name__):
                mirror = make().create()
                mirror.wait_in_sync()
                self.crash_and_restart()
                self.check_written(mirror)
                self.assertTrue(mirror.status().complete, "nothing is resynchronised for a restart")
                self.assertNotIn("Insufficient space", self.node.kernel_log())
                mirror.remove()

    def test_resynchronisation_goes_on_when_the_daemon_is_killed_and_started_again(self) -> None:
        mirror = self.core_mirror(mib=64).create()
        self.crash_and_restart()
        mirror.wait_in_sync()
        self.assert_legs_equal(mirror)

    def test_a_mirror_can_be_removed_after_the_daemon_was_killed_and_started_again(self) -> None:
        mirror = self.disk_mirror().create()
        mirror.wait_in_sync()
        self.crash_and_restart()
        mirror.remove()
        self.daemon.signal("INT")
        self.daemon.wait_gone()

    def test_a_mirror_removed_while_the_daemon_is_away_does_not_keep_it(self) -> None:
        mirror = self.core_mirror().create()
        mirror.wait_in_sync()
        self.crash_and_restart(while_gone=mirror.remove)
        self.daemon.signal("INT")
        self.daemon.wait_gone()

    def test_legs_are_equal_after_a_power_cut_during_writes(self) -> None:
        mirror = self.disk_mirror().create()
        mirror.wait_in_sync()
        self.start_writing(mirror)
        self.wait_more_written(count=20)
        self.node.kill()
        self.assertFalse(all(self.log_image().clean), "what was being written is dirty on the log device")
        type(self).node = self.cluster.boot(1)
        self.cluster.start_corosync()
        self.daemon.node = self.node
        self.daemon.start()
        mirror = mirror.on(self.node).create()
        mirror.wait_in_sync()
        self.assert_legs_equal(mirror)
        self.check_written(mirror)


if __name__ == "__main__":
    unittest.TestCase.maxDiff = None
    main()
