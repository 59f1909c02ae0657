"""The log device of a disk mirror, as seen from outside while a real kernel uses the mirror."""
from __future__ import annotations

import struct
import unittest

from mirrors import DMSETUP, LOG_BITS_OFFSET, SECTOR, Mirror, Writer
from vmcluster import wait_for
from vmtest import LEG_A, LEG_B, LOG_DISK, PATTERN, DaemonTest, main

HANG_S = 60


class LogDeviceTest(DaemonTest):
    """What the bits of the log device say, and what is done for them."""

    def dirty(self) -> list[int]:
        return [region for region, clean in enumerate(self.log_image().clean) if not clean]

    def mirror_in_sync(self, **fields) -> Mirror:
        """A disk mirror all of whose regions are in sync and clean on the log device."""
        mirror = self.disk_mirror(**fields).create()
        mirror.wait_in_sync()
        wait_for("every region is clean on the log device", lambda: not self.dirty(), timeout=30)
        return mirror

    def test_a_mark_is_on_the_device_before_the_write_is_done(self) -> None:
        legs = ("/dev/vda", "/dev/mapper/halted")
        self.node.check(f"{DMSETUP} create halted --table '0 65536 linear /dev/vdb 0'")
        self.addCleanup(self.node.run, f"{DMSETUP} resume halted")
        mirror = self.mirror_in_sync(legs=legs)
        self.node.check(f"{DMSETUP} suspend --noflush --nolockfs halted")
        write = self.node.start(f"dd if=/dev/zero of={mirror.path} bs=512k seek=9 count=1 oflag=direct conv=notrunc")
        wait_for("only region 9 is dirty", lambda: self.dirty() == [9], timeout=30)
        self.assertIsNone(write.status(), "the write has ended although a leg is halted")
        self.node.check(f"{DMSETUP} resume halted")
        self.assertEqual(write.wait(), 0)
        wait_for("region 9 is clean again", lambda: not self.dirty(), timeout=30)
        self.assert_legs_equal(mirror)

    def test_only_regions_that_the_device_calls_dirty_are_copied(self) -> None:
        mirror = self.mirror_in_sync()
        mirror.remove()
        region_bytes = mirror.region_sectors * SECTOR
        with open(self.cluster.disk(LOG_DISK), "r+b") as device:
            device.seek(LOG_BITS_OFFSET)
            device.write(struct.pack("<I", 0xFFFFFFFF & ~(1 << 5)))
        with open(self.cluster.disk(LEG_B), "r+b") as leg:
            for region in (5, 6):
                leg.seek(region * region_bytes)
                leg.write(b"another leg's bytes")
        mirror.create()
        mirror.wait_in_sync()
        legs_agree = [self.cluster.read_disk(LEG_A, region * region_bytes, region_bytes)
                      == self.cluster.read_disk(LEG_B, region * region_bytes, region_bytes) for region in range(mirror.regions)]
        self.assertEqual([region for region, agree in enumerate(legs_agree) if not agree], [6])

    def test_the_kernels_own_log_takes_the_device_over_and_gives_it_back(self) -> None:
        mirror = self.mirror_in_sync()
        mirror.remove()
        local = Mirror(self.node, "local", log=("disk", "/dev/vdc")).create()
        self.assertTrue(local.status().complete)
        local.remove()
        mirror.create()
        self.assertTrue(mirror.status().complete)

    def test_a_device_that_hangs_holds_up_its_own_log_alone(self) -> None:
        self.node.check(f"{DMSETUP} create slow --table '0 16384 linear /dev/vdc 0'")
        self.addCleanup(lambda: self.node.run(f"{DMSETUP} resume slow"))
        number = self.node.check("dmsetup info -c --noheadings -o major,minor slow").strip()
        disk = Mirror(self.node, "disk", log=("clustered-disk", number), mib=16).create()
        core = Mirror(self.node, "core", mib=16, offset_mib=32).create()
        for mirror in (disk, core):
            mirror.wait_in_sync()
        # So few regions make no stream: none is marked ahead.
        writers = [Writer(disk, PATTERN, 1), Writer(core, PATTERN, 8)]
        for writer in writers:
            writer.wait_more(8)
        self.node.check(f"{DMSETUP} suspend --noflush slow", timeout=60)
        before = writers[1].written()
        # Marks that are warm need no device; a new region does.
        job = self.node.start(f"dd if={PATTERN} of={disk.path} bs=64k count=1 seek=224 oflag=direct conv=notrunc", "dd")
        wait_for("a FLUSH waits", lambda: "FLUSH seq" in self.snapshot(), 60)
        self.node.check(f"sleep {HANG_S}", timeout=HANG_S + 60)
        self.assertIsNone(job.status(), "nothing is durable that is not on the device")
        writers[1].wait_more(8)
        longest = writers[1].longest_pause(before)
        print(f"a log device hung for {HANG_S} s: the longest pause of another mirror's writer was {longest:.2f} s", flush=True)
        self.assertLess(longest, 5.0)
        self.node.check(f"{DMSETUP} resume slow", timeout=60)
        self.assertEqual(job.wait(120), 0)
        for writer in writers:
            writer.wait_more(8)
            writer.stop()
        self.assertTrue(disk.status().complete and core.status().complete)
        for mirror in (disk, core):
            mirror.remove()

    def snapshot(self) -> str:
        """What the daemon logs on SIGUSR1."""
        before = self.daemon.log()
        self.daemon.signal("USR1")
        return self.daemon.wait_logged(r"LVM-test-disk[\s\S]*recovered_here", since=before)


if __name__ == "__main__":
    main()
