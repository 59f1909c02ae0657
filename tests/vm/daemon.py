"""cmirrord and the mirrors over it, on one virtual machine."""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from vmcluster import Cluster, Node, VmError, wait_until

SECTOR = 512
LOCK_FILE = "/run/cmirrord.pid"
SYSTEM_LOG = "/var/log/messages"
LEG_DISKS, LOG_DISK = ("/dev/vda", "/dev/vdb"), "/dev/vdc"
NUMBER_OF_DISK = {"/dev/vda": "254:0", "/dev/vdb": "254:16", "/dev/vdc": "254:32", "/dev/vdd": "254:48",
                  "/dev/vde": "254:64"}


class Daemon:
    """The one cmirrord of a machine, in the background, with its messages in the machine's system log."""

    def __init__(self, node: Node):
        self.node = node

    def start(self) -> None:
        """Start it in the background and return when it says that it is ready. Raises VmError if it does not."""
        self.node.output("cmirrord")

    def pid(self) -> int:
        return int(self.node.output(f"cat {LOCK_FILE}"))

    def is_running(self) -> bool:
        return self.node.run(f'grep -q "^State:.[^Z]" /proc/$(cat {LOCK_FILE})/status')[0] == 0

    def signal(self, name: str) -> None:
        self.node.output(f"kill -{name} $(cat {LOCK_FILE})")

    def kill(self) -> None:
        """End it as a crash does, and wait until it is gone."""
        pid = self.pid()
        self.node.output(f"kill -KILL {pid}")
        self.wait_gone(pid)

    def stop(self) -> None:
        """Ask it to stop, and wait until it is gone. No mirror may be left."""
        pid = self.pid()
        self.signal("INT")
        self.wait_gone(pid)

    def wait_gone(self, pid: int) -> None:
        wait_until(f"cmirrord (process {pid}) ends", lambda: self.node.run(f"kill -0 {pid}")[0] != 0, 20)

    def log_lines(self) -> int:
        """How long the system log is now; the argument of `log_since`."""
        return int(self.node.output(f"wc -l < {SYSTEM_LOG}"))

    def log_since(self, lines: int) -> str:
        """What the daemon has logged since the system log had `lines` lines."""
        return self.node.run(f"tail -n +{lines + 1} {SYSTEM_LOG} | grep cmirrord")[1]

    def wait_logged(self, pattern: str, since: int, timeout: float = 20) -> str:
        """Wait for a line that matches; return all that was logged. Raises VmError with it if there is no such line."""
        try:
            wait_until(f"log line {pattern!r}", lambda: re.search(pattern, self.log_since(since)), timeout)
        except TimeoutError as error:
            raise VmError(f"{error}; the log:\n{self.log_since(since)}") from None
        return self.log_since(since)

    def snapshot(self) -> str:
        """The status that it logs for SIGUSR1, without what syslog puts before each line."""
        since = self.log_lines()
        self.signal("USR1")
        logs = int(re.findall(r"Official log list: (\d+)", self.wait_logged(r"Official log list: \d", since))[-1])
        last_field_of_each = r"(?s)Official log list:" + r".*\brounds +: \d+" * logs
        lines = self.wait_logged(last_field_of_each, since).splitlines()
        return "\n".join(line.split("]: ", 1)[-1] for line in lines)


@dataclass(frozen=True)
class Log:
    """The log of a mirror, as a table names it."""
    kind: str  # "core" or "disk"
    uuid: str
    region_sectors: int = 512
    integrated_flush: bool = False
    sync: str = ""  # "sync", "nosync" or nothing
    device: str = LOG_DISK

    def words(self) -> list[str]:
        device = [NUMBER_OF_DISK[self.device]] if self.kind == "disk" else []
        flush = ["integrated_flush"] if self.integrated_flush else []
        sync = [self.sync] if self.sync else []
        return [self.uuid, *flush, f"clustered-{self.kind}", *device, str(self.region_sectors), *sync]

    def status(self) -> str:
        """Its part of `dmsetup status` while all is well."""
        return "1 clustered-core" if self.kind == "core" else f"3 clustered-disk {NUMBER_OF_DISK[self.device]} A"


@dataclass
class Mirror:
    """A mirror on one machine. It can be created there by its `create`, or by hand with its `table`."""
    cluster: Cluster
    node: Node
    name: str
    log: Log
    mib: int = 16
    legs: tuple[str, ...] = field(default=LEG_DISKS)

    @property
    def path(self) -> str:
        return f"/dev/mapper/{self.name}"

    @property
    def sectors(self) -> int:
        return self.mib << 11

    @property
    def bytes(self) -> int:
        return self.mib << 20

    @property
    def regions(self) -> int:
        return -(-self.sectors // self.log.region_sectors)

    def table(self) -> str:
        words = self.log.words()
        legs = " ".join(f"{leg} 0" for leg in self.legs)
        return (f"0 {self.sectors} mirror userspace {len(words)} {' '.join(words)} "
                f"{len(self.legs)} {legs} 1 handle_errors")

    def create(self) -> None:
        self.node.output(f"dmsetup create {self.name} --table '{self.table()}'")

    def remove(self) -> None:
        self.node.output(f"dmsetup remove {self.name}")

    def remove_if_there(self) -> None:
        self.node.run(f"dmsetup info {self.name} >/dev/null 2>&1 && dmsetup remove {self.name}")

    def suspend(self) -> None:
        self.node.output(f"dmsetup suspend {self.name}")

    def resume(self) -> None:
        self.node.output(f"dmsetup resume {self.name}")

    def status(self) -> str:
        return self.node.output(f"dmsetup status {self.name}")

    def synchronised(self) -> tuple[int, int]:
        """(regions in sync, regions)."""
        status = self.status()
        found = re.search(r" (\d+)/(\d+) ", status)
        if not found:
            raise VmError(f"no count of regions in the status: {status}")
        return int(found[1]), int(found[2])

    def wait_synchronised(self, timeout: float = 120) -> None:
        try:
            wait_until(f"{self.name} is in sync", lambda: self.synchronised() == (self.regions, self.regions), timeout)
        except TimeoutError as error:
            raise VmError(f"{error}; its status: {self.status()}; the daemon's log:\n"
                          f"{self.node.run(f'grep cmirrord {SYSTEM_LOG} | tail -n 60')[1]}") from None

    def leg(self, index: int) -> bytes:
        """What is on a leg, seen from outside of the machine."""
        with open(self._file(self.legs[index]), "rb") as disk:
            return disk.read(self.bytes)

    def fill_leg(self, index: int, data: bytes) -> None:
        """Put data on a leg from outside, before the mirror is created."""
        with open(self._file(self.legs[index]), "r+b") as disk:
            disk.write(data)

    def log_device(self) -> bytes:
        """The log device's content, seen from outside of the machine."""
        return self._file(self.log.device).read_bytes()

    def clear_log_device(self) -> None:
        with open(self._file(self.log.device), "r+b") as disk:
            disk.write(bytes(1 << 20))

    def _file(self, disk: str) -> Path:
        return self.cluster.disk(ord(disk[-1]) - ord("a"))
