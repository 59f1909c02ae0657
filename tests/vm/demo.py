"""Show cmirrord at work in virtual machines. scripts/demo builds what this needs."""
from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from mirrors import Daemon, LogImage, Mirror, MirrorStatus, Writer
from vmcluster import Cluster, Node, NodeError, SetupError

LEG_A, LEG_B, LOG_DISK, PATTERN_DISK = range(4)
DISKS_MIB = (160, 160, 8, 16)
PATTERN = "/dev/vdd"
PATTERN_MIB = 16
BAR_WIDTH = 30


class Screen:
    """One line a step, with the time since the start and a check mark; on a terminal, in colour and with moving progress."""

    def __init__(self) -> None:
        self.terminal = sys.stdout.isatty()
        self._begin = time.monotonic()
        self._shown_tenth: dict[str, int] = {}

    def _colour(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.terminal else text

    def _put(self, text: str, end: str = "\n") -> None:
        clear = "\r\x1b[K" if self.terminal else ""
        print(f"{clear}{text}", end=end, flush=True)

    def _clock(self) -> str:
        return self._colour("2", f"{time.monotonic() - self._begin:6.1f} s")

    def heading(self, text: str) -> None:
        self._put("\n" + self._colour("1", text))

    def done(self, text: str) -> None:
        self._put(f"{self._clock()}  {self._colour('32', '✓')} {text}")

    def failed(self, text: str) -> None:
        self._put(f"{self._clock()}  {self._colour('31', '✗')} {text}")

    def detail(self, text: str) -> None:
        for line in text.splitlines():
            self._put("            " + self._colour("2", line))

    def progress(self, what: str, part: int, whole: int) -> None:
        """A bar that moves on a terminal; elsewhere a line for every tenth."""
        share = part / whole
        if not self.terminal and self._shown_tenth.get(what) == int(share * 10):
            return
        self._shown_tenth[what] = int(share * 10)
        filled = int(share * BAR_WIDTH)
        bar = "█" * filled + "░" * (BAR_WIDTH - filled)
        self._put(f"{self._clock()}    {what}  {bar} {share:4.0%}  {part}/{whole} regions", end="" if self.terminal else "\n")

    @contextmanager
    def step(self, doing: str, done: str) -> Iterator[None]:
        """Show what goes on, then that it is done."""
        if self.terminal:
            self._put(f"{self._clock()}  … {doing}", end="")
        yield
        self.done(done)


class Demo:
    """The story that is shown."""

    def __init__(self, cluster: Cluster, screen: Screen):
        self.cluster, self.screen = cluster, screen
        self.nodes: list[Node] = list(cluster.nodes.values())
        self.daemons = {node.nodeid: Daemon(node) for node in self.nodes}

    def run(self) -> None:
        first = self.nodes[0]
        self.start_daemons()
        core = Mirror(first, "fast", log=("clustered-core",), mib=64)
        disk = Mirror(first, "safe", log=("clustered-disk", first.check("cat /sys/block/vdc/dev")), mib=64, offset_mib=80)
        self.show_mirror(core, "a mirror whose log is kept in the memory of the cluster (clustered-core)")
        self.show_mirror(disk, "a mirror whose log is on a disk, too (clustered-disk)")
        self.show_log_device(disk)
        if len(self.nodes) > 2:
            self.show_power_cut(disk, core)
        self.show_status([core, disk])
        self.show_refusal(core)
        self.show_end([core, disk])

    def start_daemons(self) -> None:
        names = ", ".join(f"node{node.nodeid}" for node in self.nodes)
        with self.screen.step("corosync starts", f"corosync is quorate on {names}"):
            self.cluster.start_corosync()
        for node in self.nodes:
            with self.screen.step("cmirrord starts", f"cmirrord runs on node{node.nodeid}, in the background"):
                self.daemons[node.nodeid].start()

    def show_mirror(self, mirror: Mirror, what: str) -> None:
        self.screen.heading(f"{mirror.name}: {what}")
        everywhere = [mirror.on(node) for node in self.nodes]
        with self.screen.step("the mirror is created", f"created: {mirror.mib} MiB on two disks of different content"):
            for one in everywhere:
                one.create()
        self.screen.detail("dmsetup create " + mirror.name + f" --table \"{mirror.table()}\"")
        self.wait_in_sync(mirror)
        self.compare_legs(mirror)
        with self.screen.step("data is written", f"{PATTERN_MIB} MiB written through the mirror"):
            mirror.write_from(PATTERN, PATTERN_MIB, at_mib=8)
        for one in everywhere:
            if not one.same_as(PATTERN, PATTERN_MIB, at_mib=8):
                raise NodeError(f"node {one.node.nodeid} reads other data than was written")
            self.screen.done(f"read back on node{one.node.nodeid}: the same bytes")
        self.compare_legs(mirror)

    def show_power_cut(self, mirror: Mirror, other: Mirror) -> None:
        """A node loses its power while all write; the others go on, and it comes back."""
        self.screen.heading(f"{mirror.name}: a node loses its power while all nodes write")
        lost = self.nodes[-1]
        begin_mib = [8 + 2 * i for i in range(len(self.nodes))]
        writers = [Writer(mirror.on(node), PATTERN, 2, at) for node, at in zip(self.nodes, begin_mib, strict=True)]
        for writer in writers:
            writer.wait_more(8)
        self.screen.done("all nodes write, each to its own part of the mirror")
        lost.kill()
        self.screen.done(f"node{lost.nodeid} has lost its power")
        living = writers[:-1]
        with self.screen.step("the others notice", f"the others have noticed: a cluster of {len(living)}, with quorum"):
            for node in self.nodes[:-1]:
                self.cluster.wait_quorate(node, len(living))
        with self.screen.step("the others write on", "the other nodes go on writing: no write failed"):
            for writer in living:
                writer.wait_more(12)
            for writer in living:
                writer.stop()
        status = mirror.status()
        self.screen.done(f"what node{lost.nodeid} was writing counts as out of sync until it is certainly dead:"
                         f" {status.in_sync}/{status.regions} regions in sync")
        with self.screen.step("it boots again", f"node{lost.nodeid} has booted again and joined corosync: the proof that it was dead"):
            back = self.cluster.boot(lost.nodeid)
            self.cluster.start_corosync([lost.nodeid])
        self.nodes[-1] = back
        self.daemons[lost.nodeid] = Daemon(back)
        with self.screen.step("its daemon and mirrors start", f"cmirrord and both mirrors run on node{lost.nodeid}"):
            self.daemons[lost.nodeid].start()
            for one in (mirror, other):
                one.on(back).create()
        for one in (mirror, other):
            self.wait_in_sync(one)
            self.compare_legs(one)
        for node, at in list(zip(self.nodes, begin_mib, strict=True))[:-1]:
            for reader in self.nodes:
                if not mirror.on(reader).same_as(PATTERN, 1, at_mib=at):
                    raise NodeError(f"node {reader.nodeid} reads other data than node {node.nodeid} wrote")
        self.screen.done("what the other nodes wrote is read on every node")

    def wait_in_sync(self, mirror: Mirror) -> MirrorStatus:
        begin = time.monotonic()
        while True:
            status = mirror.status()
            self.screen.progress("resynchronising", status.in_sync, status.regions)
            if status.complete:
                self.screen.done(f"in sync after {time.monotonic() - begin:.1f} s: {status.in_sync}/{status.regions} regions,"
                                 f" legs {status.health}, log \"{' '.join(status.log)}\"")
                return status
            if time.monotonic() - begin > 300:
                raise NodeError(f"{mirror.name} is not in sync after 300 s: {status}")
            time.sleep(0.1)

    def compare_legs(self, mirror: Mirror) -> None:
        stretch = (mirror.offset_mib << 20, mirror.mib << 20)
        if self.cluster.read_disk(LEG_A, *stretch) != self.cluster.read_disk(LEG_B, *stretch):
            raise NodeError(f"the legs of {mirror.name} differ")
        self.screen.done(f"both legs hold the same {mirror.mib} MiB, byte for byte")

    def show_log_device(self, mirror: Mirror) -> None:
        image = LogImage.parse(self.cluster.read_disk(LOG_DISK))
        self.screen.done(f"its log device says: version {image.version}, {image.regions} regions, {sum(image.clean)} of them clean")

    def show_status(self, mirrors: list[Mirror]) -> None:
        self.screen.heading("What the daemon knows (SIGUSR1)")
        daemon = self.daemons[self.nodes[0].nodeid]
        before = daemon.log()
        daemon.signal("USR1")
        text = daemon.wait_logged(rf"Official log list: {len(mirrors)}" + r"[\s\S]*rounds" * len(mirrors), since=before)
        lines = [re.sub(r"^.*?cmirrord(\[\d+\])?: ", "", line) for line in text.splitlines()]
        start = next((i for i, line in enumerate(lines) if "Official log list" in line), 0)
        self.screen.detail("\n".join(lines[start:]))

    def show_refusal(self, mirror: Mirror) -> None:
        self.screen.heading("The end")
        daemon = self.daemons[self.nodes[0].nodeid]
        before = daemon.log()
        daemon.signal("INT")
        text = daemon.wait_logged(re.escape(mirror.log_uuid), since=before)
        self.screen.done("SIGINT while mirrors exist: the daemon refuses and works on")
        said = [line for line in text.splitlines() if mirror.log_uuid in line][-1]
        self.screen.detail(re.sub(r"^.*?cmirrord(\[\d+\])?: ", "", said))

    def show_end(self, mirrors: list[Mirror]) -> None:
        for mirror in mirrors:
            with self.screen.step("the mirror is removed", f"{mirror.name} is removed"):
                for node in self.nodes:
                    mirror.on(node).remove()
        for node in self.nodes:
            daemon = self.daemons[node.nodeid]
            with self.screen.step("SIGINT", f"SIGINT without mirrors: cmirrord of node{node.nodeid} has ended"):
                daemon.signal("INT")
                daemon.wait_gone()


def main() -> int:
    """Show it; the exit status says whether all went well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("daemon")
    arguments = parser.parse_args()
    screen = Screen()
    many = f"{arguments.nodes} virtual machines" if arguments.nodes > 1 else "a virtual machine"
    screen.heading(f"cmirrord with a real kernel and a real corosync, in {many}")
    cluster = Cluster(nodes=arguments.nodes, programs=[arguments.daemon], disks_mib=DISKS_MIB)
    try:
        with screen.step(f"{many} boots", "booted"):
            cluster.start()
        for disk, seed in ((LEG_A, 1), (LEG_B, 2), (PATTERN_DISK, 4)):
            cluster.fill_disk(disk, seed)
        screen.detail(cluster[1].check("uname -srv") + "\n" + ", ".join(
            line.strip() for line in cluster[1].check("dmsetup targets | grep mirror; dmesg | grep -o 'dm-log-userspace: version.*'").splitlines()))
        Demo(cluster, screen).run()
    except SetupError as error:
        screen.failed(str(error))
        return 1
    except (NodeError, TimeoutError) as error:
        screen.failed(str(error))
        for node in cluster.nodes.values():
            if node.alive:
                screen.detail("\n".join(node.syslog().splitlines()[-20:]))
        return 1
    except KeyboardInterrupt:
        screen.failed("interrupted")
        return 130
    finally:
        cluster.stop()
    screen.done("all went well")
    return 0


if __name__ == "__main__":
    sys.exit(main())
