"""The log device of a disk mirror, as seen from outside while a real kernel uses the mirror."""
from __future__ import annotations

import struct
import unittest

from mirrors import DMSETUP, LOG_BITS_OFFSET, SECTOR, Mirror
from vmcluster import wait_for
from vmtest import LEG_A, LEG_B, LOG_DISK, DaemonTest, main


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


if __name__ == "__main__":
    main()
