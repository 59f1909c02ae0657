"""What scripts/demo shows: cmirrord under a real kernel, from the first mirror to its end."""
from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from daemon import Daemon, Log, Mirror
from kernel_package import KernelError
from vmcluster import Cluster, VmError, end_on_sigterm, wait_until

MIB = 16
BAR_WIDTH = 30


class Screen:
    """One line a step, with its time and a check mark; colour and moving progress only on a terminal."""

    def __init__(self) -> None:
        self.terminal = sys.stdout.isatty()
        self.began = self.step_began = time.monotonic()
        self._progress = ""

    def _colour(self, code: int, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.terminal else text

    def title(self, text: str) -> None:
        print(self._colour(1, text), flush=True)

    def _clear_progress(self) -> None:
        if self.terminal:
            print("\r\x1b[K", end="")
        self._progress = ""

    def done(self, text: str) -> None:
        self._clear_progress()
        seconds = time.monotonic() - self.step_began
        print(f"{self._colour(32, '✓')} {seconds:5.1f} s  {text}", flush=True)
        self.step_began = time.monotonic()

    def failed(self, text: str) -> None:
        self._clear_progress()
        print(f"{self._colour(31, '✗')} {time.monotonic() - self.step_began:5.1f} s  {text}", flush=True)

    def progress(self, what: str, part: int, whole: int) -> None:
        filled = BAR_WIDTH * part // whole
        bar = "#" * filled + "." * (BAR_WIDTH - filled)
        line = f"           {what} [{bar}] {part}/{whole} regions"
        if self.terminal:
            print("\r\x1b[K" + line, end="", flush=True)
        elif line != self._progress:
            print(line, flush=True)
        self._progress = line

    def quote(self, text: str) -> None:
        for line in text.splitlines():
            print(self._colour(2, f"           | {line}"), flush=True)
        self.step_began = time.monotonic()


class Demo:
    def __init__(self, cluster: Cluster, screen: Screen):
        self.cluster, self.screen = cluster, screen
        self.daemons = [Daemon(node) for node in cluster]

    def start_daemons(self) -> None:
        self.cluster.start_corosync()
        self.screen.done(f"corosync: {len(self.daemons)} of {len(self.daemons)} nodes, quorate")
        for daemon in self.daemons:
            daemon.start()
        self.screen.done("cmirrord runs on " + ("the node" if len(self.daemons) == 1 else "every node"))

    def mirror_on_all_nodes(self, kind: str, legs: tuple[str, str]) -> list[Mirror]:
        log = Log(kind, f"LVM-demo-{kind}", device="/dev/vde")
        mirrors = [Mirror(self.cluster, node, f"demo-{kind}", log, mib=MIB, legs=legs) for node in self.cluster]
        mirrors[0].fill_leg(0, os.urandom(mirrors[0].bytes))
        for mirror in mirrors:
            mirror.create()
        self.screen.done(f"{kind} mirror created: {mirrors[0].table()}")
        return mirrors

    def show_resync(self, mirrors: list[Mirror]) -> None:
        first = mirrors[0]

        def is_synchronised() -> bool:
            counts = [mirror.synchronised() for mirror in mirrors]
            self.screen.progress(f"resync of {first.name}", *counts[0])
            return all(count == (first.regions, first.regions) for count in counts)

        wait_until(f"{first.name} is in sync", is_synchronised, 180)
        self.screen.done(f"{first.name} is in sync: {first.status()}")

    def write_and_read_back(self, mirrors: list[Mirror]) -> None:
        """Each node writes 1 MiB of its own; every node reads all of it."""
        sums: dict[int, str] = {}
        for mirror in mirrors:
            nodeid = mirror.node.nodeid
            mirror.node.output(f"dd if=/dev/urandom of=/tmp/data bs=64k count=16 && "
                               f"dd if=/tmp/data of={mirror.path} bs=64k seek={nodeid * 16} oflag=direct conv=fsync")
            sums[nodeid] = mirror.node.output("sha256sum < /tmp/data").split()[0]
        self.screen.done(f"{mirrors[0].name}: 1 MiB written by {named(len(mirrors))}")
        for reader in mirrors:
            for nodeid, expected in sums.items():
                read = reader.node.output(f"dd if={reader.path} bs=64k skip={nodeid * 16} count=16 iflag=direct "
                                          "2>/dev/null | sha256sum").split()[0]
                if read != expected:
                    raise VmError(f"node {reader.node.nodeid} reads other data than node {nodeid} has written")
        self.screen.done(f"{mirrors[0].name}: read back by {named(len(mirrors))}, sha256 equal")

    def compare_legs(self, mirror: Mirror) -> None:
        sums = [hashlib.sha256(mirror.leg(index)).hexdigest() for index in range(len(mirror.legs))]
        if len(set(sums)) != 1:
            raise VmError(f"the legs of {mirror.name} differ: {sums}")
        self.screen.done(f"{mirror.name}: both legs are equal, sha256 {sums[0][:16]}...")

    def show_snapshot(self) -> None:
        text = self.daemons[0].snapshot()
        self.screen.done("status snapshot (SIGUSR1), the part about logs:")
        self.screen.quote(text[text.index("Official log list"):])

    def stop_is_refused(self, mirror: Mirror) -> None:
        daemon = self.daemons[0]
        since = daemon.log_lines()
        daemon.signal("INT")
        text = daemon.wait_logged("SIGINT", since)
        self.screen.done("SIGINT is refused while mirrors exist:")
        self.screen.quote(text.split("]: ", 1)[-1])
        mirror.synchronised()

    def remove(self, mirrors: list[list[Mirror]]) -> None:
        for of_one_log in mirrors:
            for mirror in of_one_log:
                mirror.remove()
        self.screen.done("mirrors removed")

    def stop_daemons(self) -> None:
        for daemon in self.daemons:
            daemon.stop()
        self.screen.done("SIGINT ends cmirrord")

    def run(self) -> None:
        self.start_daemons()
        core = self.mirror_on_all_nodes("core", ("/dev/vda", "/dev/vdb"))
        self.show_resync(core)
        disk = self.mirror_on_all_nodes("disk", ("/dev/vdc", "/dev/vdd"))
        self.show_resync(disk)
        for mirrors in core, disk:
            self.write_and_read_back(mirrors)
            self.compare_legs(mirrors[0])
        self.show_snapshot()
        self.stop_is_refused(core[0])
        self.remove([core, disk])
        self.stop_daemons()


def named(nodes: int) -> str:
    return "the node" if nodes == 1 else "every node"


def main() -> int:
    parser = argparse.ArgumentParser(description="Show cmirrord under a real kernel.")
    parser.add_argument("--daemon", type=Path, required=True, help="the cmirrord to show")
    parser.add_argument("--nodes", type=int, default=1, help="number of virtual machines")
    arguments = parser.parse_args()
    end_on_sigterm()
    screen = Screen()
    screen.title(f"cmirrord on {arguments.nodes} virtual machine{'s' if arguments.nodes > 1 else ''}")
    try:
        with Cluster(arguments.nodes, [arguments.daemon], disks=5) as cluster:
            kernel = cluster.kernel.name.removeprefix("linux-image-")
            screen.done(f"booted: Linux {kernel}, 5 shared disks")
            Demo(cluster, screen).run()
    except (VmError, KernelError, TimeoutError) as error:
        screen.failed(str(error))
        return 1
    except KeyboardInterrupt:
        screen.failed("interrupted")
        return 130
    screen.title(f"done in {time.monotonic() - screen.began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
