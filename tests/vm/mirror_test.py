"""Mirrors of a real kernel over a running cmirrord, on one node."""
import os
import struct
import unittest

from arguments import daemon_and_unittest_arguments
from daemon import Daemon, Log, Mirror
from vmcluster import Cluster, wait_until

MAGIC_BYTES = bytes.fromhex("7252694d")
MAP_OFFSET = 1024


def disk_map(device: bytes, regions: int) -> list[int]:
    """The bits of regions on a log device (spec: 1 = clean and in sync)."""
    words = struct.unpack_from(f"<{-(-regions // 32)}I", device, MAP_OFFSET)
    return [words[region // 32] >> (region % 32) & 1 for region in range(regions)]


class MirrorCases:
    """What holds for every kind of log; a subclass says which."""
    KIND: str
    INTEGRATED_FLUSH = False

    cluster: Cluster
    daemon: Daemon

    @classmethod
    def setUpClass(cls) -> None:
        cls.cluster, cls.daemon = cluster, daemon

    def setUp(self) -> None:
        self.node = self.cluster[1]
        log = Log(self.KIND, f"LVM-{self.id().rsplit('.', 1)[1]}"[:128], integrated_flush=self.INTEGRATED_FLUSH)
        self.mirror = Mirror(self.cluster, self.node, "m", log)
        self.mirror.clear_log_device()
        self.addCleanup(self.mirror.remove_if_there)

    def write(self, first_mib: int, mib: int) -> None:
        """Write random data to the mirror and leave it in /tmp/data as well."""
        self.node.output(f"dd if=/dev/urandom of=/tmp/data bs=64k count={mib * 16} &&"
                         f"dd if=/tmp/data of={self.mirror.path} bs=64k seek={first_mib * 16} oflag=direct conv=fsync")

    def assert_reads_back(self, first_mib: int, mib: int) -> None:
        self.node.output(f"dd if={self.mirror.path} of=/tmp/read bs=64k skip={first_mib * 16} count={mib * 16} "
                         "iflag=direct && cmp /tmp/data /tmp/read")

    def assert_legs_are_equal(self) -> None:
        legs = [self.mirror.leg(index) for index in range(len(self.mirror.legs))]
        block = 4096
        different = [start // block for start in range(0, len(legs[0]), block)
                     if any(leg[start:start + block] != legs[0][start:start + block] for leg in legs[1:])]
        self.assertEqual(different, [], "4 KiB blocks that differ between the legs")

    def create_and_synchronise(self) -> None:
        self.mirror.create()
        self.mirror.wait_synchronised()

    def test_a_new_mirror_copies_its_primary_leg_to_the_end(self) -> None:
        primary = os.urandom(self.mirror.bytes)
        self.mirror.fill_leg(0, primary)
        self.create_and_synchronise()
        self.assertEqual(self.mirror.leg(0), primary, "the primary leg has changed")
        self.assert_legs_are_equal()

    def test_status_names_the_log(self) -> None:
        self.create_and_synchronise()
        regions = self.mirror.regions
        self.assertEqual(self.mirror.status(), f"0 {self.mirror.sectors} mirror 2 254:0 254:16 {regions}/{regions} "
                                               f"1 AA {self.mirror.log.status()}")

    def test_data_written_after_resync_is_on_both_legs(self) -> None:
        self.create_and_synchronise()
        self.write(3, 2)
        self.assert_reads_back(3, 2)
        self.assert_legs_are_equal()

    def test_data_written_during_resync_is_on_both_legs(self) -> None:
        self.mirror.fill_leg(0, os.urandom(self.mirror.bytes))
        self.mirror.create()
        self.write(13, 2)
        self.assert_reads_back(13, 2)
        self.mirror.wait_synchronised()
        self.assert_reads_back(13, 2)
        self.assert_legs_are_equal()

    def test_suspend_and_resume_keep_what_is_in_sync(self) -> None:
        self.create_and_synchronise()
        self.write(0, 1)
        self.mirror.suspend()
        self.assertEqual(self.mirror.synchronised(), (self.mirror.regions, self.mirror.regions))
        self.mirror.resume()
        self.mirror.wait_synchronised(20)
        self.write(1, 1)
        self.assert_reads_back(1, 1)
        self.assert_legs_are_equal()

    def test_suspend_during_resync_ends_and_resync_goes_on_after_it(self) -> None:
        self.mirror.fill_leg(0, os.urandom(self.mirror.bytes))
        self.mirror.create()
        for _ in range(3):
            self.mirror.suspend()
            self.mirror.resume()
        self.mirror.wait_synchronised()
        self.assert_legs_are_equal()

    def test_a_new_table_takes_the_log_over(self) -> None:
        self.create_and_synchronise()
        self.write(5, 1)
        self.node.output(f"dmsetup load m --table '{self.mirror.table()}'")
        self.mirror.suspend()
        self.mirror.resume()
        self.mirror.wait_synchronised(20)
        self.assert_reads_back(5, 1)
        self.write(6, 1)
        self.assert_reads_back(6, 1)
        self.assert_legs_are_equal()

    def test_a_table_that_was_loaded_can_be_cleared_again(self) -> None:
        self.create_and_synchronise()
        self.node.output(f"dmsetup load m --table '{self.mirror.table()}'")
        self.node.output("dmsetup clear m")
        self.write(2, 1)
        self.assert_reads_back(2, 1)

    def test_a_removed_mirror_is_gone_from_the_daemon(self) -> None:
        self.create_and_synchronise()
        self.assertIn(self.mirror.log.uuid, self.daemon.snapshot())
        self.mirror.remove()
        self.assertNotIn(self.mirror.log.uuid, self.daemon.snapshot())


class CoreMirrorTest(MirrorCases, unittest.TestCase):
    KIND = "core"

    def test_nosync_starts_in_sync(self) -> None:
        self.mirror.log = Log("core", "nosync-uuid", sync="nosync")
        self.mirror.create()
        self.assertEqual(self.mirror.synchronised(), (self.mirror.regions, self.mirror.regions))

    def test_two_mirrors_live_side_by_side(self) -> None:
        other = Mirror(self.cluster, self.node, "other", Log("core", "other-uuid"), legs=("/dev/vdc", "/dev/vdd"))
        self.addCleanup(other.remove_if_there)
        self.mirror.create()
        other.create()
        self.mirror.wait_synchronised()
        other.wait_synchronised()
        snapshot = self.daemon.snapshot()
        self.assertIn("Official log list: 2", snapshot)


class DiskMirrorTest(MirrorCases, unittest.TestCase):
    KIND = "disk"

    def test_the_log_device_has_the_kernels_format(self) -> None:
        self.create_and_synchronise()
        self.mirror.suspend()
        device = self.mirror.log_device()
        self.assertEqual(device[:4], MAGIC_BYTES)
        self.assertEqual(struct.unpack_from("<IQ", device, 4), (2, self.mirror.regions))
        self.assertEqual(disk_map(device, self.mirror.regions), [1] * self.mirror.regions)
        self.mirror.resume()

    def test_a_mirror_that_was_in_sync_needs_no_resync_after_removal(self) -> None:
        self.create_and_synchronise()
        self.mirror.remove()
        self.mirror.create()
        self.assertEqual(self.mirror.synchronised(), (self.mirror.regions, self.mirror.regions))

    def test_only_regions_that_the_device_calls_unclean_are_copied(self) -> None:
        self.create_and_synchronise()
        self.mirror.remove()
        region_bytes = self.mirror.log.region_sectors * 512
        with open(self.cluster.disk(2), "r+b") as device:
            device.seek(MAP_OFFSET)
            device.write(struct.pack("<I", 0xFFFFFFFF & ~(1 << 5)))
        secondary = bytearray(self.mirror.leg(1))
        for region in (5, 6):
            secondary[region * region_bytes] ^= 0xFF
        self.mirror.fill_leg(1, bytes(secondary))
        self.mirror.create()
        self.mirror.wait_synchronised()
        legs = [self.mirror.leg(0), self.mirror.leg(1)]
        self.assertEqual(legs[1][5 * region_bytes], legs[0][5 * region_bytes], "region 5 was to be copied")
        self.assertNotEqual(legs[1][6 * region_bytes], legs[0][6 * region_bytes], "region 6 was not to be copied")

    def unclean_on_device(self) -> list[int]:
        return [r for r, bit in enumerate(disk_map(self.mirror.log_device(), self.mirror.regions)) if bit == 0]

    def test_a_write_in_flight_is_marked_on_the_device(self) -> None:
        self.node.output(f"dmsetup create halted --table '0 {self.mirror.sectors} linear /dev/vdb 0'")
        self.addCleanup(self.node.output, "dmsetup remove halted")
        self.addCleanup(self.mirror.remove_if_there)
        self.addCleanup(self.node.output, "dmsetup resume halted")
        self.mirror.legs = ("/dev/vda", "/dev/mapper/halted")
        self.create_and_synchronise()
        wait_until("all regions are clean", lambda: not self.unclean_on_device(), 20)
        self.node.output("dmsetup suspend --noflush halted")
        self.node.start(f"dd if=/dev/zero of={self.mirror.path} bs=4k count=1 seek={9 * 64} oflag=direct;"
                        "touch /tmp/written")
        wait_until("region 9 is marked", lambda: self.unclean_on_device() == [9], 20)
        self.assertEqual(self.node.run("test -e /tmp/written")[0], 1)
        self.node.output("dmsetup resume halted")
        self.node.wait_for("test -e /tmp/written")
        wait_until("region 9 is clean again", lambda: not self.unclean_on_device(), 30)

    def test_the_kernels_own_disk_log_takes_the_device_over(self) -> None:
        self.create_and_synchronise()
        self.mirror.remove()
        self.node.output(f"dmsetup create m --table '0 {self.mirror.sectors} mirror disk 2 /dev/vdc "
                         f"{self.mirror.log.region_sectors} 2 /dev/vda 0 /dev/vdb 0'")
        self.assertEqual(self.mirror.synchronised(), (self.mirror.regions, self.mirror.regions))


class IntegratedFlushCoreMirrorTest(MirrorCases, unittest.TestCase):
    KIND, INTEGRATED_FLUSH = "core", True


class IntegratedFlushDiskMirrorTest(MirrorCases, unittest.TestCase):
    KIND, INTEGRATED_FLUSH = "disk", True


def setUpModule() -> None:
    global cluster, daemon
    cluster = unittest.enterModuleContext(Cluster(1, [arguments.daemon]))
    cluster.start_corosync()
    daemon = Daemon(cluster[1])
    daemon.start()


if __name__ == "__main__":
    arguments, rest = daemon_and_unittest_arguments()
    unittest.main(argv=rest, verbosity=2)
