"""Boot a small cluster of virtual machines with a real Linux kernel, device-mapper and corosync.

Every node runs a Debian kernel under software emulation (no KVM needed), with

* the real dm-mirror and dm-log-userspace modules,
* a real corosync, all nodes on one emulated Ethernet segment,
* shared virtio disks /dev/vda, /dev/vdb, ... (the same raw files on every node),
* a control channel on the second serial port, on which `Node.run` executes shell commands.

    with Cluster(nodes=3, programs=[Path("build/bin/cmirrord")]) as cluster:
        cluster.start_corosync()
        print(cluster[1].output("dmsetup targets"))
"""
from __future__ import annotations

import atexit
import base64
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from ethernet import Ethernet
from guest_image import build_image
from kernel_package import kernel_tree

POLL_SECONDS = 0.1


class VmError(RuntimeError):
    """A machine or a command on it failed; the message has the command's output or the end of the console."""


def end_on_sigterm() -> None:
    """Let SIGTERM unwind the program as Ctrl-C does, so that its machines are stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def wait_until(what: str, condition: Callable[[], object], timeout: float) -> None:
    """Poll `condition` until it holds. Raises TimeoutError, naming `what`, after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {timeout:.0f} s still waiting: {what}")
        time.sleep(POLL_SECONDS)


class Node:
    """One virtual machine. `run` executes shell commands on it, one at a time."""

    def __init__(self, nodeid: int, process: subprocess.Popen[bytes], control: socket.socket, console: Path):
        self.nodeid, self.process, self.control, self.console = nodeid, process, control, console
        self._received = b""
        self._number = 0

    def _fail(self, problem: str) -> VmError:
        tail = self.console.read_text(errors="replace")[-2000:] if self.console.exists() else ""
        load = Path("/proc/loadavg").read_text().strip()
        return VmError(f"node {self.nodeid}: {problem}\nload of this host: {load}\nend of its console:\n{tail}")

    def _read_line(self, deadline: float) -> str:
        while b"\n" not in self._received:
            self.control.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                data = self.control.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                raise self._fail("the machine has stopped")
            self._received += data
        line, self._received = self._received.split(b"\n", 1)
        return line.decode(errors="replace").rstrip("\r")

    def wait_ready(self, timeout: float = 180) -> None:
        """Wait until the machine has booted and takes commands."""
        deadline = time.monotonic() + timeout
        try:
            while self._read_line(deadline) != "@@READY":
                pass
        except TimeoutError:
            raise self._fail(f"did not boot in {timeout:.0f} s") from None

    def run(self, script: str, timeout: float = 60) -> tuple[int, str]:
        """Run a shell script; return (exit status, output). Raises VmError past `timeout` seconds."""
        self._number += 1
        encoded = base64.b64encode(script.encode()).decode()
        self.control.sendall(f"{self._number} {encoded}\n".encode())
        deadline = time.monotonic() + timeout
        lines: list[str] = []
        end = f"@@END {self._number} "
        try:
            while self._read_line(deadline) != f"@@BEGIN {self._number}":
                pass
            while not (line := self._read_line(deadline)).startswith(end):
                lines.append(line)
        except TimeoutError:
            raise self._fail(f"no answer in {timeout:.0f} s to: {script}") from None
        return int(line.removeprefix(end)), "\n".join(lines).strip("\n")

    def output(self, script: str, timeout: float = 60) -> str:
        """The output of a script that must succeed. Raises VmError if it does not."""
        status, out = self.run(script, timeout)
        if status:
            raise VmError(f"node {self.nodeid}: {script!r} exited with {status}: {out}")
        return out

    def start(self, script: str) -> None:
        """Run a script in the background; its output is thrown away."""
        self.output(f"(\n{script}\n) </dev/null >/dev/null 2>&1 &")

    def wait_for(self, script: str, timeout: float = 60) -> None:
        """Run a script again and again until it succeeds."""
        wait_until(f"node {self.nodeid}: {script}", lambda: self.run(script)[0] == 0, timeout)

    def power_off(self) -> None:
        """Cut the power: nothing is flushed, no one is told."""
        self.process.kill()
        self.process.wait()
        self.control.close()


class Cluster:
    """Machines 1 to `nodes` with shared disks; a context manager that boots them and stops them."""

    def __init__(self, nodes: int, programs: Iterable[Path] = (), *, disks: int = 4, disk_mib: int = 64,
                 memory_mib: int = 384, token_ms: int = 3000, cache: Path | None = None,
                 extra_files: Mapping[str, Path] | None = None):
        self.count, self.programs, self.extra_files = nodes, list(programs), extra_files
        self.disks, self.disk_mib, self.memory_mib, self.token_ms = disks, disk_mib, memory_mib, token_ms
        self.cache = cache
        self.boot_seconds = 0.0
        self.nodes: dict[int, Node] = {}
        self._processes: list[subprocess.Popen[bytes]] = []
        self._ethernet: Ethernet | None = None
        self.directory = Path()

    def __getitem__(self, nodeid: int) -> Node:
        return self.nodes[nodeid]

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes.values())

    def __enter__(self) -> Cluster:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def ethernet(self) -> Ethernet:
        assert self._ethernet, "the cluster has not been started"
        return self._ethernet

    def disk(self, index: int) -> Path:
        """The raw file behind /dev/vda (index 0), /dev/vdb (1), ..."""
        return self.directory / f"disk{index}.img"

    def corosync_conf(self) -> str:
        members = "".join(f" node {{\n  ring0_addr: 10.11.0.{n}\n  nodeid: {n}\n  name: node{n}\n }}\n"
                          for n in range(1, self.count + 1))
        return (f"totem {{\n version: 2\n cluster_name: test\n transport: knet\n token: {self.token_ms}\n"
                " crypto_cipher: none\n crypto_hash: none\n}\n"
                f"nodelist {{\n{members}}}\n"
                "quorum {\n provider: corosync_votequorum\n}\n"
                "logging {\n to_stderr: no\n to_syslog: no\n to_logfile: yes\n logfile: /var/log/corosync.log\n}\n")

    def start(self) -> None:
        """Make the image and the disks, boot all nodes and wait until they take commands."""
        self.kernel = kernel_tree(self.cache)
        self.directory = Path(tempfile.mkdtemp(prefix="vmcluster-"))
        atexit.register(self.stop)
        self.image = build_image(self.directory, self.kernel, self.programs, self.corosync_conf(), self.extra_files)
        for index in range(self.disks):
            with open(self.disk(index), "wb") as image:
                image.truncate(self.disk_mib << 20)
        self._ethernet = Ethernet(self.directory, self.count)
        began = time.monotonic()
        for nodeid in range(1, self.count + 1):
            self.boot(nodeid)
        for node in self:
            node.wait_ready()
        self.boot_seconds = time.monotonic() - began

    def _qemu(self, nodeid: int, control: Path, console: Path) -> list[str]:
        kernel = next(self.kernel.glob("boot/vmlinuz-*"))
        # setpriv: the machine ends with this process, however that ends.
        command = ["setpriv", "--pdeathsig", "KILL",
                   "qemu-system-x86_64", "-accel", "tcg,thread=single", "-cpu", "max", "-smp", "1",
                   "-m", str(self.memory_mib), "-display", "none", "-no-reboot", "-monitor", "none",
                   "-serial", f"file:{console}", "-chardev", f"socket,id=control,path={control}",
                   "-serial", "chardev:control", "-kernel", str(kernel), "-initrd", str(self.image),
                   "-append", f"console=ttyS0 quiet panic=-1 node={nodeid}",
                   "-netdev", self.ethernet.qemu_netdev(nodeid),
                   "-device", f"virtio-net-pci,netdev=net,mac=52:54:00:00:00:{nodeid:02x},romfile="]
        for index in range(self.disks):
            command += ["-drive", f"file={self.disk(index)},format=raw,if=virtio,cache=writeback,file.locking=off"]
        return command

    def boot(self, nodeid: int) -> Node:
        """Start a node (again, after `Node.power_off`). Call `wait_ready` before the first `run`."""
        control_path = self.directory / f"control{nodeid}.sock"
        console = self.directory / f"console{nodeid}.log"
        control_path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(control_path))
            listener.listen(1)
            listener.settimeout(POLL_SECONDS)
            process = subprocess.Popen(self._qemu(nodeid, control_path, console), stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            self._processes.append(process)
            while True:
                try:
                    control, _ = listener.accept()
                    break
                except TimeoutError:
                    if process.poll() is not None:
                        assert process.stderr
                        raise VmError(f"node {nodeid}: QEMU ended: {process.stderr.read().decode()}") from None
        self.nodes[nodeid] = Node(nodeid, process, control, console)
        return self.nodes[nodeid]

    def start_corosync(self, timeout: float = 90) -> None:
        """Start corosync on every node and wait until all of them see one quorate membership."""
        for node in self:
            node.output("corosync")
        for node in self:
            wait_until(f"node {node.nodeid} in a quorate cluster of {self.count}",
                       lambda node=node: self._is_full(node.run("corosync-quorumtool -s")[1]), timeout)

    def _is_full(self, status: str) -> bool:
        return bool(re.search(rf"Nodes:\s+{self.count}\b", status) and re.search(r"Quorate:\s+Yes", status))

    def stop(self) -> None:
        """End all machines and remove their files. Safe to call twice."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stderr:
                process.stderr.close()
        self._processes.clear()
        for node in self:
            node.control.close()
        if self._ethernet:
            self._ethernet.close()
            self._ethernet = None
        if self.directory != Path():
            shutil.rmtree(self.directory, ignore_errors=True)
        atexit.unregister(self.stop)
