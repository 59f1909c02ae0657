"""cmirrord is killed under mirrors in use and started again: I/O goes on, and nothing is lost."""
import time
import unittest

from arguments import daemon_and_unittest_arguments
from daemon import Daemon, Log, Mirror
from vmcluster import Cluster, wait_until

BLOCK = 4096

# Writes block i % BLOCKS with the number i in it, until /tmp/stop exists; /tmp/count has the last i that was written.
WRITER = """
i=0
while [ ! -e /tmp/stop ]; do
  printf '%-4096d' $i | dd of={path} bs=4k count=1 iflag=fullblock seek=$((i % {blocks})) oflag=direct 2>/tmp/dd ||
    {{ echo "block $i: $(cat /tmp/dd)" >> /tmp/failed; break; }}
  echo $i > /tmp/count.new; mv /tmp/count.new /tmp/count
  i=$((i + 1))
done
touch /tmp/stopped
"""


class RestartCases:
    KIND: str
    INTEGRATED_FLUSH = False

    def setUp(self) -> None:
        self.node, self.daemon = cluster[1], Daemon(cluster[1])
        log = Log(self.KIND, f"uuid-{type(self).__name__}", integrated_flush=self.INTEGRATED_FLUSH)
        self.mirror = Mirror(cluster, self.node, "m", log)
        self.mirror.clear_log_device()
        self.node.output("rm -f /tmp/stop /tmp/stopped /tmp/failed /tmp/count")
        self.daemon.start()
        self.addCleanup(self.end)

    def end(self) -> None:
        if not self.daemon.is_running():
            self.daemon.start()
        self.node.output("touch /tmp/stop; until ! pidof dd >/dev/null; do usleep 100000; done")
        self.mirror.remove_if_there()
        self.daemon.stop()

    def written(self) -> int:
        return int(self.node.run("cat /tmp/count 2>/dev/null || echo -1")[1])

    def wait_written(self, more: int) -> None:
        goal = self.written() + more
        wait_until(f"{more} more blocks are written", lambda: self.written() >= goal, 90)

    def assert_legs_are_equal(self) -> None:
        legs = [self.mirror.leg(0), self.mirror.leg(1)]
        different = [start // BLOCK for start in range(0, self.mirror.bytes, BLOCK)
                     if legs[0][start:start + BLOCK] != legs[1][start:start + BLOCK]]
        self.assertEqual(different, [], "4 KiB blocks that differ between the legs")

    def restart(self) -> None:
        self.daemon.kill()
        time.sleep(1)  # not a synchronisation: the kernel shall meet the daemon's absence
        self.daemon.start()

    def test_writes_go_on_over_crashes_of_the_daemon(self) -> None:
        blocks = self.mirror.bytes // BLOCK
        self.mirror.create()
        self.mirror.wait_synchronised()
        self.node.start(WRITER.format(path=self.mirror.path, blocks=blocks))
        self.wait_written(20)
        for _ in range(2):
            self.restart()
            self.wait_written(20)
        self.node.output("touch /tmp/stop")
        self.node.wait_for("test -e /tmp/stopped")
        self.assertEqual(self.node.run("cat /tmp/failed")[0], 1, self.node.run("cat /tmp/failed")[1])
        self.mirror.suspend()
        self.mirror.resume()
        self.mirror.wait_synchronised()
        last = self.written()
        primary = self.mirror.leg(0)
        for number in range(max(0, last - blocks + 1), last + 1):
            start = number % blocks * BLOCK
            self.assertEqual(primary[start:start + BLOCK], f"{number:<{BLOCK}}".encode(), f"write {number}")
        self.node.output(f"dd if={self.mirror.path} of=/tmp/read bs=64k count=16 iflag=direct")
        self.assert_legs_are_equal()

    def test_resync_goes_on_over_a_crash_of_the_daemon(self) -> None:
        self.mirror.fill_leg(0, bytes(range(256)) * (self.mirror.bytes // 256))
        self.mirror.create()
        wait_until("resync has begun", lambda: self.mirror.synchronised()[0] > 0, 30)
        self.restart()
        self.mirror.wait_synchronised()
        self.assert_legs_are_equal()

    def test_a_mirror_can_be_suspended_resumed_and_removed_after_a_crash(self) -> None:
        self.mirror.create()
        self.mirror.wait_synchronised()
        self.restart()
        self.node.output(f"dd if=/dev/zero of={self.mirror.path} bs=4k count=1 oflag=direct")
        self.mirror.suspend()
        self.mirror.resume()
        self.mirror.wait_synchronised()
        self.mirror.remove()


class CoreRestartTest(RestartCases, unittest.TestCase):
    KIND = "core"


class DiskRestartTest(RestartCases, unittest.TestCase):
    KIND = "disk"


class IntegratedFlushRestartTest(RestartCases, unittest.TestCase):
    KIND, INTEGRATED_FLUSH = "disk", True


def setUpModule() -> None:
    global cluster
    cluster = unittest.enterModuleContext(Cluster(1, [arguments.daemon]))
    cluster.start_corosync()


if __name__ == "__main__":
    arguments, rest = daemon_and_unittest_arguments()
    unittest.main(argv=rest, verbosity=2)
