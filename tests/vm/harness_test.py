"""The harness itself: machines boot, form a cluster, and have all that the tests of the daemon need."""
import os
import signal
import subprocess
import sys
import unittest
from pathlib import Path

from vmcluster import Cluster, VmError, end_on_sigterm, wait_until

HERE = Path(__file__).resolve().parent


class OneMachineTest(unittest.TestCase):
    cluster: Cluster

    @classmethod
    def setUpClass(cls) -> None:
        cls.cluster = cls.enterClassContext(Cluster(1, disks=3))
        cls.cluster.start_corosync()

    def setUp(self) -> None:
        self.node = self.cluster[1]

    def test_a_script_gives_its_output_and_exit_status(self) -> None:
        self.assertEqual(self.node.run("echo one\necho 'two  words' >&2\nprintf three\nexit 7"),
                         (7, "one\ntwo  words\nthree"))

    def test_a_failing_script_raises_with_its_output(self) -> None:
        with self.assertRaisesRegex(VmError, "no such thing"):
            self.node.output("echo no such thing; false")

    def test_a_script_past_its_time_raises_and_the_next_one_works(self) -> None:
        with self.assertRaisesRegex(VmError, "no answer in"):
            self.node.run("echo late; sleep 1; echo later", timeout=0.3)
        self.assertEqual(self.node.output("echo next"), "next")

    def test_corosync_of_one_member_has_quorum(self) -> None:
        status = self.node.output("corosync-quorumtool -s")
        self.assertRegex(status, r"Nodes:\s+1\b")
        self.assertRegex(status, r"Quorate:\s+Yes")

    def test_the_kernel_has_mirrors_and_the_log_of_user_space(self) -> None:
        self.assertRegex(self.node.output("dmsetup targets"), r"(?m)^mirror\s")
        self.assertIn("dm_log_userspace", self.node.output("lsmod"))

    def test_disks_are_those_of_the_host(self) -> None:
        self.node.output("printf 'from the guest' | dd of=/dev/vda bs=512 conv=sync,fsync")
        with open(self.cluster.disk(0), "rb") as disk:
            self.assertEqual(disk.read(14), b"from the guest")
        self.assertEqual(self.node.output("ls /dev/vd*").split(), ["/dev/vda", "/dev/vdb", "/dev/vdc"])

    def test_a_mirror_with_a_log_of_the_kernel_copies_its_legs_without_udev(self) -> None:
        self.node.output("dd if=/dev/urandom of=/dev/vda bs=64k count=64 oflag=direct")
        self.node.output("dmsetup create m --table '0 8192 mirror core 1 1024 2 /dev/vda 0 /dev/vdb 0'")
        self.addCleanup(self.node.output, "dmsetup remove m")
        self.node.wait_for("dmsetup status m | grep -q ' 8/8 '")
        self.node.output("dd if=/dev/urandom of=/tmp/data bs=64k count=4")
        self.node.output("dd if=/tmp/data of=/dev/mapper/m bs=64k oflag=direct conv=fsync")
        self.node.output("dd if=/dev/mapper/m of=/tmp/read bs=64k count=4 iflag=direct && cmp /tmp/data /tmp/read")
        legs = self.node.output("dd if=/dev/vda bs=64k count=64 iflag=direct | sha256sum;"
                                "dd if=/dev/vdb bs=64k count=64 iflag=direct | sha256sum")
        sums = [line for line in legs.splitlines() if line.endswith(" -")]
        self.assertEqual(len(sums), 2)
        self.assertEqual(sums[0], sums[1])


class TwoMachinesTest(unittest.TestCase):
    def test_a_machine_that_lost_power_boots_again(self) -> None:
        with Cluster(2, disks=1) as pair:
            pair.start_corosync()
            pair[2].power_off()
            pair[1].wait_for("corosync-quorumtool -s | grep -Eq 'Nodes: +1$'")
            pair.boot(2).wait_ready()
            pair[2].output("corosync")
            pair[1].wait_for("corosync-quorumtool -s | grep -Eq 'Nodes: +2$'", timeout=90)
            pair.ethernet.isolate(2)
            pair[1].wait_for("corosync-quorumtool -s | grep -Eq 'Quorate: +No'")
            pair.ethernet.heal()
            pair[1].wait_for("corosync-quorumtool -s | grep -Eq 'Quorate: +Yes'", timeout=90)


class CleanUpTest(unittest.TestCase):
    """A program that ends, in whatever way, leaves no machine behind."""

    PROGRAM = ("import signal, sys, vmcluster\n"
               "vmcluster.end_on_sigterm()\n"
               "with vmcluster.Cluster(1, disks=1) as cluster:\n"
               "    print(cluster[1].process.pid, cluster.directory, flush=True)\n"
               "    signal.pause()\n")

    def machine_of_program_ended_by(self, number: signal.Signals) -> tuple[int, Path]:
        with subprocess.Popen([sys.executable, "-c", self.PROGRAM], cwd=HERE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True) as program:
            assert program.stdout
            pid, directory = program.stdout.readline().split()
            program.send_signal(number)
        return int(pid), Path(directory)

    def assert_ended(self, pid: int) -> None:
        stat = Path(f"/proc/{pid}/stat")
        wait_until(f"process {pid} ends", lambda: not stat.exists() or stat.read_text().split()[2] == "Z", 10)

    def test_sigterm_removes_machines_and_files(self) -> None:
        pid, directory = self.machine_of_program_ended_by(signal.SIGTERM)
        self.assert_ended(pid)
        self.assertFalse(os.path.exists(directory))

    def test_sigkill_takes_the_machines_along(self) -> None:
        pid, directory = self.machine_of_program_ended_by(signal.SIGKILL)
        self.assert_ended(pid)
        subprocess.run(["rm", "-rf", directory], check=True)


if __name__ == "__main__":
    end_on_sigterm()
    unittest.main(verbosity=2)
