"""The units under a real systemd: hardening that lets the daemon work, the journal's fields, mirrors on boot."""
from __future__ import annotations

import json
from pathlib import Path

import vmtest
from vmcluster import Cluster, quote, wait_for

PROJECT = Path(__file__).resolve().parents[2]
UNITS = Path("/lib/systemd/system")
DISKS_MIB = (64, 64, 8, 16, 16)
SERVICE = "lvm2-cmirrord"
TOOLS = ("/lib/systemd/systemd", "/lib/systemd/systemd-journald", "/usr/bin/systemctl", "/usr/bin/journalctl", "/usr/bin/systemd-escape",
         "/usr/bin/udevadm", "/usr/sbin/dmsetup")
# What the booting of a machine without file systems of its own takes.
SYSTEM_UNITS = (
    "basic.target sysinit.target multi-user.target network-online.target network.target network-pre.target slices.target "
    "sockets.target paths.target timers.target local-fs.target local-fs-pre.target swap.target remote-fs.target remote-fs-pre.target "
    "shutdown.target umount.target modprobe@.service corosync.service systemd-journald.service systemd-journald.socket "
    "systemd-journald-dev-log.socket systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket "
    "systemd-udev-trigger.service"
).split()
WANTED_EARLY = ("systemd-journald.service", "systemd-udevd.service", "systemd-udev-trigger.service")
OURS = ("lvm2-cmirrord.service", "cmirror@.service")
# A process namespace of its own, in which systemd is process 1 as on any machine.
BOOT = f"""
mkdir -p /etc/systemd/system/sysinit.target.wants /lib/systemd/system-generators
mount -t cgroup2 cgroup2 /sys/fs/cgroup
killall syslogd; rm -f /dev/log
chmod 755 /lib/systemd/system-generators/*
ln -sf {UNITS}/multi-user.target /etc/systemd/system/default.target
for unit in {' '.join(WANTED_EARLY)}; do ln -sf {UNITS}/$unit /etc/systemd/system/sysinit.target.wants/; done
ln -sf /usr/bin/udevadm /lib/systemd/systemd-udevd; ln -sf /usr/sbin/dmsetup /sbin/dmsetup
systemctl enable {SERVICE}
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin unshare -p -f --mount-proc /lib/systemd/systemd --system
"""
# Stops what a shutdown stops, and no more.
END = "[Unit]\nDefaultDependencies=no\nRequires=shutdown.target\nAfter=shutdown.target\n"
TAB = "data /dev/vda,/dev/vdb /dev/vdc size=32M,region-size=512K,uuid=CMIRROR-data\n"


class SystemdTest(vmtest.ClusterTest):
    """One node, booted once; the steps follow each other in the order of their names."""

    @classmethod
    def setUpClass(cls) -> None:
        daemon = Path(vmtest.daemon_path())
        files: dict[str, str | Path] = {f"{UNITS}/{name}".strip("/"): UNITS / name for name in SYSTEM_UNITS}
        files |= {f"{UNITS}/{name}".strip("/"): PROJECT / "systemd" / name for name in OURS}
        files |= {f"lib/udev/rules.d/{path.name}": path for path in Path("/lib/udev/rules.d").glob("*.rules")}
        files |= {"etc/machine-id": "0123456789abcdef0123456789abcdef\n", "etc/cmirrortab": TAB, "etc/systemd/system/end.target": END,
                  "lib/systemd/system-generators/cmirror-generator": PROJECT / "systemd/cmirror-generator"}
        programs = (str(daemon), str(daemon.with_name("cmirrorctl")))
        cls.cluster = cls.enterClassContext(Cluster(programs=programs, disks_mib=DISKS_MIB, files=files, tools=TOOLS))
        cls.node = cls.cluster[1]
        cls.node.start(BOOT, "systemd")
        wait_for("the system is up", lambda: cls.inside("systemctl is-active remote-fs-pre.target")[0] == 0, 120)

    @classmethod
    def inside(cls, command: str, timeout: float = 60) -> tuple[int, str]:
        """A command where systemd is process 1."""
        return cls.node.run(f"nsenter -t $(pidof systemd | tr ' ' '\\n' | sort -n | head -n 1) -m -p sh -c {quote(command)}", timeout)

    def check(self, command: str, timeout: float = 60) -> str:
        """As `inside`; it must succeed."""
        status, out = self.inside(command, timeout)
        self.assertEqual(status, 0, f"{command}: {out}\n{self.inside('journalctl --no-pager -n 60')[1]}")
        return out

    def show(self, unit: str, *names: str) -> tuple[str, ...]:
        """Properties of a unit."""
        found = dict(line.split("=", 1) for line in self.check(f"systemctl show {unit} -p {','.join(names)}").splitlines())
        return tuple(found[name] for name in names)

    def journal(self, match: str) -> list[dict[str, str]]:
        """The journal's entries with that field."""
        return [json.loads(line) for line in self.check(f"journalctl --no-pager -o json {match}").splitlines()]

    def wait_healthy(self) -> None:
        try:
            wait_for("all is healthy", lambda: self.inside("cmirrorctl status")[0] == 0, 120)
        except TimeoutError as error:
            self.fail(f"{error}: {self.inside('cmirrorctl status')[1]}\n{self.inside('journalctl --no-pager -n 60')[1]}")

    def test_1_mirror_of_the_tab_is_active_after_boot(self) -> None:
        self.assertEqual(self.show(SERVICE, "ActiveState", "Names"), ("active", "lvm2-cmirrord.service cmirrord.service"))
        self.assertEqual(self.show("cmirror@data", "ActiveState", "Result"), ("active", "success"))
        self.assertEqual(self.check("readlink /dev/mapper/data"), "../dm-0", "udev made it")
        self.wait_healthy()
        self.assertRegex(self.check("cmirrorctl status"), r"data  CMIRROR-data  active +100\.0% +0  - +254:32 ok +1\*")
        self.assertIn("everything is set up", self.check("cmirrorctl check"))
        processes = self.check("cat /proc/[0-9]*/comm").split()
        self.assertEqual([name for name in processes if "cmirrord" in name], ["cmirrord"])

    def test_2_journal_has_fields(self) -> None:
        ready = self.journal("MESSAGE_ID=0af534f3e5ec495ca4abc0ec8472ad6d")
        self.assertEqual([(entry["SYSLOG_IDENTIFIER"], entry["PRIORITY"]) for entry in ready], [("cmirrord", "5")])
        joined = self.journal("CMIRROR_UUID=CMIRROR-data MESSAGE_ID=d81a61a78e724d2ba486c5537c05a790")
        self.assertEqual([entry["MESSAGE"] for entry in joined], ["log CMIRROR-data: joined, with 1 member(s)"])

    def test_3_killed_daemon_is_started_again_and_the_mirror_stays(self) -> None:
        before, restarts = self.show(SERVICE, "MainPID", "NRestarts")
        self.check(f"systemctl kill -s KILL {SERVICE}")
        wait_for("it runs again", lambda: self.show(SERVICE, "ActiveState", "NRestarts") == ("active", str(int(restarts) + 1)), 60)
        self.assertNotEqual(self.show(SERVICE, "MainPID")[0], before)
        self.check("dmsetup status data")
        self.assertRegex(self.check("cmirrorctl status"), r"data  CMIRROR-data  active +100\.0%", "nothing is resynchronised")
        self.check("dd if=/dev/zero of=/dev/mapper/data bs=64k count=1 conv=fsync")
        self.assertEqual(self.show("cmirror@data", "ActiveState", "ExecMainStatus"), ("active", "0"))
        self.assertNotIn("Stopping", self.check("journalctl --no-pager -u cmirror@data"))

    def test_4_daemon_that_is_needed_goes_on_and_comes_back_under_systemd(self) -> None:
        self.check(f"systemctl kill -s KILL {SERVICE}")
        wait_for("it runs again", lambda: self.show(SERVICE, "ActiveState") == ("active",), 60)
        self.assertRegex(self.check("cmirrorctl status"), r"data +CMIRROR-data +unasked")
        before = self.show(SERVICE, "MainPID")[0]
        self.check(f"systemctl stop {SERVICE}", timeout=120)
        self.assertEqual(self.show(SERVICE, "ActiveState", "Result"), ("failed", "timeout"))
        self.assertEqual(self.check("pidof cmirrord"), before, "it is not killed")
        self.assertIn("remove the mirrors that use them first", self.journal("MESSAGE_ID=7772b2e3195c49519384767f4418fcdc")[0]["MESSAGE"])
        self.check("dd if=/dev/zero of=/dev/mapper/data bs=64k count=1 conv=fsync")
        self.check(f"systemctl kill -s KILL {SERVICE}; systemctl start {SERVICE}")
        self.assertEqual(self.show(SERVICE, "ActiveState"), ("active",))
        self.check("dd if=/dev/zero of=/dev/mapper/data bs=64k count=1 conv=fsync")
        self.assertRegex(self.check("cmirrorctl status"), r"data  CMIRROR-data  active +100\.0%")

    def test_5_mirror_and_daemon_stop(self) -> None:
        self.check(f"systemctl stop cmirror@data {SERVICE}", timeout=120)
        self.assertEqual(self.show("cmirror@data", "ActiveState", "Result"), ("inactive", "success"), self.inside("journalctl --no-pager -n 40")[1])
        self.assertEqual(self.show(SERVICE, "ActiveState", "Result"), ("inactive", "success"))
        self.assertEqual(self.check("dmsetup ls"), "No devices found")
        self.check("systemctl start cmirror@data")
        self.wait_healthy()

    def test_6_shutdown_takes_mirror_daemon_and_corosync_down_in_order(self) -> None:
        self.assertIn("hand: active", self.check("cmirrorctl create hand --leg /dev/vdd --leg /dev/vde"))
        self.check("systemctl start end.target", timeout=120)
        for unit in ("cmirror@data", SERVICE, "corosync"):
            self.assertEqual(self.show(unit, "ActiveState", "Result"), ("inactive", "success"), unit)
        ends = [int(self.show(unit, "InactiveEnterTimestampMonotonic")[0]) for unit in ("cmirror@data", SERVICE, "corosync")]
        self.assertEqual(ends, sorted(ends))
        self.assertEqual(self.check("dmsetup ls"), "No devices found")


if __name__ == "__main__":
    vmtest.main()
