"""Mirrors and the daemon on a node, as an administrator handles them: with dmsetup and signals."""
from __future__ import annotations

import dataclasses
import re
import struct
from dataclasses import dataclass

from vmcluster import Job, Node, NodeError, quote, wait_for

SECTOR = 512
# No udev runs on the nodes: dmsetup makes the device files itself.
DMSETUP = "dmsetup --noudevsync --verifyudev"

LOG_MAGIC = 0x4D695272
LOG_BITS_OFFSET = 1024


@dataclass(frozen=True)
class MirrorStatus:
    """A line of `dmsetup status` for a mirror."""

    legs: tuple[str, ...]
    in_sync: int
    regions: int
    health: str
    """A letter a leg: A works."""
    log: tuple[str, ...]
    """What the log says of itself, such as ("clustered-disk", "254:32", "A")."""

    @property
    def complete(self) -> bool:
        """True when every region is in sync."""
        return self.in_sync == self.regions

    @staticmethod
    def parse(line: str) -> MirrorStatus:
        """From the words after the target's name: <#legs> <leg>... <in sync>/<regions> 1 <health> <#words> <log>..."""
        words = line.split()
        if len(words) < 4 or words[2] != "mirror":
            raise NodeError(f"not the status of a mirror: {line!r}")
        count = int(words[3])
        legs, rest = words[4 : 4 + count], words[4 + count :]
        in_sync, regions = rest[0].split("/")
        log_words = int(rest[3])
        if rest[1] != "1" or len(rest) != 4 + log_words:
            raise NodeError(f"unexpected status of a mirror: {line!r}")
        return MirrorStatus(tuple(legs), int(in_sync), int(regions), rest[2], tuple(rest[4:]))


@dataclass(frozen=True)
class Mirror:
    """A mirror over a stretch of two or more disks, and its table line."""

    node: Node
    name: str
    log: tuple[str, ...] = ("clustered-core",)
    """The type of the log and its device, if any."""
    mib: int = 32
    region_sectors: int = 1024
    legs: tuple[str, ...] = ("/dev/vda", "/dev/vdb")
    offset_mib: int = 0
    """Where the mirror begins on each leg."""
    flags: tuple[str, ...] = ()
    """Words after the region size: sync, nosync, block_on_error."""
    integrated_flush: bool = False
    handle_errors: bool = True
    uuid: str | None = None
    """Names the log in the cluster; made from the mirror's name if not given."""

    @property
    def path(self) -> str:
        """The device file."""
        return f"/dev/mapper/{self.name}"

    @property
    def sectors(self) -> int:
        """Its size."""
        return self.mib * (1 << 20) // SECTOR

    @property
    def regions(self) -> int:
        """How many regions its log has."""
        return -(-self.sectors // self.region_sectors)

    @property
    def log_uuid(self) -> str:
        """The uuid of its log."""
        return self.uuid or f"LVM-test-{self.name}"

    def table(self) -> str:
        """Its line for dmsetup."""
        if self.log[0].startswith("clustered-"):
            words = [self.log_uuid, *(["integrated_flush"] if self.integrated_flush else []), *self.log, str(self.region_sectors),
                     *self.flags]
            log = ["userspace", str(len(words)), *words]
        else:  # a log of the kernel's own
            words = [*self.log[1:], str(self.region_sectors), *self.flags]
            log = [self.log[0], str(len(words)), *words]
        legs = [str(len(self.legs))]
        for leg in self.legs:
            legs += [leg, str(self.offset_mib * (1 << 20) // SECTOR)]
        features = ["1", "handle_errors"] if self.handle_errors else []
        return " ".join(["0", str(self.sectors), "mirror", *log, *legs, *features])

    def on(self, node: Node) -> Mirror:
        """The same mirror on another node."""
        return dataclasses.replace(self, node=node)

    def create(self) -> Mirror:
        """Create it, suspended for no longer than that takes."""
        self.node.check(f"{DMSETUP} create {self.name} --table {quote(self.table())}", timeout=120)
        return self

    def load(self, other: Mirror) -> None:
        """Load another table, which takes its place at the next resume."""
        self.node.check(f"{DMSETUP} load {self.name} --table {quote(other.table())}", timeout=120)

    def suspend(self) -> None:
        """Suspend it."""
        self.node.check(f"{DMSETUP} suspend {self.name}", timeout=120)

    def resume(self) -> None:
        """Resume it."""
        self.node.check(f"{DMSETUP} resume {self.name}", timeout=120)

    def remove(self) -> None:
        """Remove it."""
        self.node.check(f"{DMSETUP} remove {self.name}", timeout=120)

    def status(self) -> MirrorStatus:
        """What `dmsetup status` says."""
        return MirrorStatus.parse(self.node.check(f"dmsetup status {self.name}", timeout=120))

    def wait_in_sync(self, timeout: float = 180) -> MirrorStatus:
        """Wait until it has been resynchronised to the end."""
        last: list[MirrorStatus] = []

        def complete() -> bool:
            last[:] = [self.status()]
            return last[0].complete

        try:
            wait_for(f"{self.name} in sync", complete, timeout, interval=0.25)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; last status: {last[0]}") from None
        return last[0]

    def write_from(self, source: str, mib: int, at_mib: int = 0) -> None:
        """Copy the first `mib` of a device into the mirror, past the page cache."""
        self.node.check(f"dd if={source} of={self.path} bs=1M count={mib} seek={at_mib} oflag=direct conv=notrunc,fsync", timeout=180)

    def same_as(self, source: str, mib: int, at_mib: int = 0) -> bool:
        """Read a stretch back, past the page cache: does it hold the first `mib` of `source`?"""
        copy = f"/tmp/{self.name}.readback"
        self.node.check(f"dd if={self.path} of={copy} bs=1M skip={at_mib} count={mib} iflag=direct", timeout=180)
        return self.node.run(f"cmp -n {mib << 20} {copy} {source}", timeout=180)[0] == 0


@dataclass(frozen=True)
class LogImage:
    """A log device: its header and bits."""

    magic: int
    version: int
    regions: int
    clean: tuple[bool, ...]

    @staticmethod
    def parse(image: bytes) -> LogImage:
        """From the first bytes of the device."""
        magic, version, regions = struct.unpack_from("<IIQ", image)
        if magic != LOG_MAGIC:
            return LogImage(magic, version, regions, ())
        bits = image[LOG_BITS_OFFSET : LOG_BITS_OFFSET + (regions + 31) // 32 * 4]
        return LogImage(magic, version, regions, tuple(bool(bits[r // 8] >> r % 8 & 1) for r in range(regions)))


class Writer:
    """Writes the first `mib` of a device into a mirror, at `at_mib`, in pieces of 64 KiB, again and again until told to stop."""

    def __init__(self, mirror: Mirror, source: str, mib: int, at_mib: int = 0):
        self.mirror, self.node = mirror, mirror.node
        name = f"{mirror.name}.{at_mib}"
        self._stop, self._count = f"/tmp/{name}.stop", f"/tmp/{name}.count"
        self.node.check(f"rm -f {self._stop} {self._count}")
        self._job = self.node.start(
            f"while :; do for i in $(seq 0 {mib * 16 - 1}); do [ -e {self._stop} ] && exit 0;"
            f" dd if={source} of={mirror.path} bs=64k count=1 skip=$i seek=$(({at_mib} * 16 + i)) oflag=direct conv=notrunc 2>/dev/null"
            f" || exit 1; read t idle </proc/uptime; echo $t >>{self._count}; done; done", "writer")

    def written(self) -> int:
        """How many writes have ended."""
        return int(self.node.check(f"[ -e {self._count} ] && wc -l <{self._count} || echo 0"))

    def wait_more(self, count: int, timeout: float = 120) -> None:
        """Wait until so many more writes have ended."""
        begin = self.written()
        wait_for(f"node {self.node.nodeid} goes on writing to {self.mirror.name}", lambda: self.written() >= begin + count, timeout)

    def longest_pause(self, since: int = 0) -> float:
        """The longest time in seconds between the ends of two writes, behind the first `since` of them."""
        times = [float(line) for line in self.node.check(f"tail -n +{since + 1} {self._count}").split()]
        return max((b - a for a, b in zip(times, times[1:])), default=0.0)

    def stop(self, timeout: float = 180) -> None:
        """Stop after the write that is under way; NodeError if one has failed."""
        self.node.check(f"touch {self._stop}")
        if self._job.wait(timeout) != 0:
            raise NodeError(f"a write to {self.mirror.name} failed on node {self.node.nodeid}: {self._job.output()}")


class Daemon:
    """cmirrord on a node."""

    LOCK_FILE = "/run/cmirrord.pid"

    def __init__(self, node: Node):
        self.node = node

    def start(self) -> None:
        """Start it; it is ready when its parent process has returned."""
        status, out = self.node.run("cmirrord", timeout=60)
        if status:
            raise NodeError(f"cmirrord exited with {status}: {out}\n{self.log()}")

    def start_in_foreground(self) -> Job:
        """Start it with -f, as a job whose output is its log."""
        return self.node.start("exec cmirrord -f", "cmirrord")

    def pid(self) -> int | None:
        """The process, if there is one."""
        pids = self.node.pids("cmirrord")
        return max(pids) if pids else None

    def signal(self, name: str) -> None:
        """Send it a signal, such as INT."""
        pid = self.pid()
        if pid is None:
            raise NodeError("cmirrord does not run")
        self.node.check(f"kill -{name} {pid}")

    def wait_gone(self, timeout: float = 30) -> None:
        """Wait until it has ended."""
        wait_for("cmirrord ends", lambda: self.pid() is None, timeout)

    def crash(self) -> None:
        """Kill it without a warning."""
        self.signal("KILL")
        self.wait_gone()

    def kill_and_start(self, pause_s: float) -> float:
        """Kill it without a warning and start it after a pause, in one command: what the way to the node takes is not the daemon's.
        For how many seconds was there none that is ready? An emulated machine takes its time to start a program."""
        words = self.node.check(f"read a idle </proc/uptime; kill -KILL {self.pid()}; sleep {pause_s}; cmirrord; read b idle </proc/uptime; "
                                "echo $a $b", timeout=60).split()
        return float(words[-1]) - float(words[-2])

    def log(self) -> str:
        """What it has written to the system log."""
        return "\n".join(line for line in self.node.syslog().splitlines() if re.search(r"\bcmirrord(\[\d+\])?: ", line))

    def wait_logged(self, pattern: str, since: str = "", timeout: float = 30) -> str:
        """Wait for a match of `pattern` in what it has logged after `since`, an earlier result of `log`; return what is new."""
        def matches() -> str | None:
            new = self.log()[len(since):]
            return new if re.search(pattern, new) else None

        return str(wait_for(f"cmirrord logs {pattern!r}", matches, timeout))
