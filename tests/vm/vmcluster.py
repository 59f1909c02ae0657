"""A small cluster of virtual machines with a real Linux kernel, device-mapper and corosync.

Every node has

* a Debian kernel with the real dm-mirror and dm-log-userspace modules,
* a real corosync; all nodes share one Ethernet segment whose links can be cut,
* shared virtio disks: the same raw files on every node, which this machine can read too (`Cluster.disk`),
* a control channel, on which `Node.run` executes shell commands.

Machines run under software emulation unless $CMIRROR_VM_ACCEL says otherwise ("kvm" or "tcg").

    with Cluster(nodes=1, programs=["build/bin/cmirrord"]) as cluster:
        cluster.start_corosync()
        print(cluster[1].check("dmsetup targets"))
"""
from __future__ import annotations

import atexit
import base64
import os
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from vmimage import SetupError, build_initramfs, kernel_image, need_program, unpack_kernel
from vmsegment import Segment

ACCEL_VARIABLE = "CMIRROR_VM_ACCEL"
KEEP_VARIABLE = "CMIRROR_VM_KEEP"
BOOT_TIMEOUT_S = 180.0
POLL_S = 0.1
MIB = 1 << 20

# Process 1 of a node. It answers each line "<number> <command in base64>" of the control channel with the command's output and
# "@@END <number> <exit status>".
INIT = r"""#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/ LC_ALL=C
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts
mount -t tmpfs shm /dev/shm; mount -t tmpfs run /run; mount -t devpts pts /dev/pts
rm -rf /var/run; ln -s /run /var/run
while read -r module; do insmod /lib/modules/$module; done </lib/modules/order
node=$(sed 's/.*node=\([0-9]*\).*/\1/' /proc/cmdline)
hostname node$node
ip link set lo up; ip link set eth0 up; ip addr add 10.11.0.$node/24 dev eth0
echo "root:x:0:0:root:/:/bin/sh" >/etc/passwd; echo "root:x:0:" >/etc/group
echo "127.0.0.1 localhost" >/etc/hosts; echo "10.11.0.$node node$node" >>/etc/hosts
echo 512 >/proc/sys/net/unix/max_dgram_qlen  # as systemd has it
syslogd -O /var/log/messages
mkdir -p /tmp/jobs
exec 3<>/dev/hvc0
stty -F /dev/hvc0 raw -echo
echo "@@READY" >&3
while read -r number command <&3; do
  ( eval "$(echo "$command" | base64 -d)" ) </dev/null >/tmp/out.$number 2>&1 3>&-
  status=$?
  { cat /tmp/out.$number; echo; echo "@@END $number $status"; } >&3
  rm -f /tmp/out.$number
done
poweroff -f
"""


class NodeError(RuntimeError):
    """A node did not do what it was told to."""


class NodeGone(NodeError):
    """A node's machine has ended, or does not answer any more."""


def wait_for(what: str, condition: Callable[[], object], timeout: float, interval: float = POLL_S) -> object:
    """Ask until `condition` gives something true, and return that. `what` names it in the error."""
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:.0f} s in vain: {what}")
        time.sleep(interval)


class Job:
    """A shell command that runs in the background of a node."""

    def __init__(self, node: Node, name: str):
        self.node, self.name = node, name
        self._path = f"/tmp/jobs/{name}"

    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        _, out = self.node.run(f"cat {self._path}.rc 2>/dev/null")
        return int(out) if out else None

    def output(self) -> str:
        """What it has printed so far."""
        return self.node.run(f"cat {self._path}.out")[1]

    def wait(self, timeout: float = 60) -> int:
        """Wait until it ends; return its exit status."""
        wait_for(f"end of {self.name} on node {self.node.nodeid}", lambda: self.status() is not None, timeout)
        status = self.status()
        assert status is not None
        return status


class Node:
    """One virtual machine."""

    def __init__(self, nodeid: int, process: subprocess.Popen[bytes], control: socket.socket, console: Path):
        self.nodeid, self.process, self.console = nodeid, process, console
        self._control = control
        self._buffer = b""
        self._commands = 0
        self._jobs = 0

    # -- control channel
    def _read_line(self, deadline: float) -> str:
        while b"\n" not in self._buffer:
            self._control.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                data = self._control.recv(65536)
            except TimeoutError:
                raise NodeGone(f"node {self.nodeid} does not answer in time{self._last_words()}") from None
            except ConnectionError:
                data = b""
            if not data:
                raise NodeGone(f"the machine of node {self.nodeid} has ended{self._last_words()}")
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.decode(errors="replace").rstrip("\r")

    def _last_words(self) -> str:
        words = self.console.read_text(errors="replace").strip().splitlines()[-30:] if self.console.exists() else []
        return "; its console:\n  " + "\n  ".join(words) if words else ""

    def wait_ready(self, timeout: float = BOOT_TIMEOUT_S) -> None:
        """Wait until the node has booted."""
        deadline = time.monotonic() + timeout
        while self._read_line(deadline) != "@@READY":
            pass

    def run(self, command: str, timeout: float = 60) -> tuple[int, str]:
        """Run a shell script (of any number of lines) to its end; return its exit status and its output.

        Past `timeout` (seconds) raises NodeGone: the node still runs the command and takes no other.
        """
        self._commands += 1
        try:
            self._control.sendall(b"%d %s\n" % (self._commands, base64.b64encode(command.encode())))
        except ConnectionError:
            raise NodeGone(f"the machine of node {self.nodeid} has ended{self._last_words()}") from None
        deadline, lines = time.monotonic() + timeout, []
        while True:
            line = self._read_line(deadline)
            if line.startswith(f"@@END {self._commands} "):
                return int(line.split()[2]), "\n".join(lines).strip("\n")
            lines.append(line)

    def check(self, command: str, timeout: float = 60) -> str:
        """As `run`, but raise NodeError if the command fails; return its output."""
        status, out = self.run(command, timeout)
        if status:
            raise NodeError(f"node {self.nodeid}: {command!r} exited with {status}: {out}")
        return out

    def start(self, command: str, name: str = "job") -> Job:
        """Run a shell script in the background."""
        self._jobs += 1
        job = Job(self, f"{name}.{self._jobs}")
        path = f"/tmp/jobs/{job.name}"
        self.check(f"{{ ( {command}\n) >{path}.out 2>&1; echo $? >{path}.rc; }} </dev/null >/dev/null 2>&1 &")
        return job

    # -- what tests ask often
    def pids(self, program: str) -> list[int]:
        """Processes of that name that are alive (not zombies)."""
        script = "for s in /proc/[0-9]*/stat; do read -r pid name state rest <$s && echo $pid $name $state; done 2>/dev/null"
        found = re.findall(r"^(\d+) \((.*)\) (\S)$", self.run(script)[1], re.MULTILINE)
        return [int(pid) for pid, name, state in found if name == program[:15] and state not in "ZX"]

    def syslog(self) -> str:
        """Everything in the system log."""
        return self.run("cat /var/log/messages 2>/dev/null")[1]

    def kernel_log(self) -> str:
        """Everything that the kernel has logged."""
        return self.run("dmesg")[1]

    # -- power
    @property
    def alive(self) -> bool:
        """True while its machine runs."""
        return self.process.poll() is None

    def kill(self) -> None:
        """Power cut: nothing is flushed, no one is told."""
        self.process.kill()
        self.process.wait()
        self._control.close()


class Cluster:
    """Virtual machines 1 to `nodes`, their disks and their segment. A context manager: what it starts ends with it."""

    def __init__(self, nodes: int = 1, programs: Sequence[str] = (), disks_mib: Sequence[int] = (64, 64, 8),
                 memory_mib: int = 448, token_ms: int = 3000, kernel: Path | None = None,
                 files: Mapping[str, str | Path] | None = None, tools: Sequence[str] = (), libraries_of: Sequence[str] = ()):
        """`programs` of this machine are put into /usr/sbin of the nodes, `tools` where this machine has them, and the libraries of
        `libraries_of` without these programs; `files` maps paths of the nodes to text or to a file of this machine.

        The disks are /dev/vda, /dev/vdb and so on. `token_ms` is corosync's time until a silent node is lost.
        """
        self.count, self.programs = nodes, list(programs)
        self.disks_mib, self.memory_mib, self.token_ms = list(disks_mib), memory_mib, token_ms
        self.files = dict(files or {})
        self.tools, self.libraries_of = list(tools), list(libraries_of)
        self.nodes: dict[int, Node] = {}
        self._kernel = kernel
        self._directory: Path | None = None
        self._segment: Segment | None = None
        self._processes: list[subprocess.Popen[bytes]] = []

    def __getitem__(self, nodeid: int) -> Node:
        return self.nodes[nodeid]

    def __enter__(self) -> Cluster:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    # -- life
    def start(self) -> None:
        """Boot all nodes and wait until they take commands."""
        atexit.register(self.stop)
        exit_on_signals()
        need_program("qemu-system-x86_64", "qemu-system-x86")
        self._kernel = self._kernel or unpack_kernel()
        self._directory = Path(tempfile.mkdtemp(prefix="vmcluster-"))
        files = {"etc/corosync/corosync.conf": self._corosync_conf(), **self.files}
        build_initramfs(self._directory / "initramfs", self._kernel, INIT, self.programs, files, self.tools,
                        self.libraries_of)
        for index, mib in enumerate(self.disks_mib):
            with open(self.disk(index), "wb") as image:
                image.truncate(mib * MIB)
        self._segment = Segment()
        for nodeid in range(1, self.count + 1):
            self._power_on(nodeid)
        for node in self.nodes.values():
            node.wait_ready()

    def stop(self) -> None:
        """Cut the power of all nodes and remove their files. Can be called twice."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        self._processes.clear()
        if self._segment is not None:
            self._segment.close()
            self._segment = None
        if self._directory is not None and not os.environ.get(KEEP_VARIABLE):
            shutil.rmtree(self._directory, ignore_errors=True)
        self._directory = None
        atexit.unregister(self.stop)

    def boot(self, nodeid: int) -> Node:
        """Boot a node again, cutting its power first if it still runs; wait until it takes commands."""
        if nodeid in self.nodes and self.nodes[nodeid].alive:
            self.nodes[nodeid].kill()
        node = self._power_on(nodeid)
        node.wait_ready()
        return node

    def _power_on(self, nodeid: int) -> Node:
        assert self._directory is not None and self._segment is not None and self._kernel is not None
        ours, control = socket.socketpair()
        network = self._segment.attach(nodeid)
        console = self._directory / f"console{nodeid}.log"
        accel = os.environ.get(ACCEL_VARIABLE) or "tcg"
        command = [
            # The machine ends with the thread that starts it, however that ends.
            need_program("setpriv", "util-linux"), "--pdeathsig", "KILL", "--",
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
            "-accel", "tcg,thread=single,tb-size=128" if accel == "tcg" else accel,
            "-cpu", "qemu64,+rdrand",  # a plain one: what a richer one could do costs more to emulate than it saves
            "-smp", "1", "-m", str(self.memory_mib),
            "-kernel", str(kernel_image(self._kernel)), "-initrd", str(self._directory / "initramfs"),
            "-append", f"console=ttyS0 loglevel=4 panic=-1 oops=panic mitigations=off random.trust_cpu=on node={nodeid}",
            "-serial", f"file:{console}",
            "-chardev", f"socket,id=control,fd={control.fileno()}",
            "-device", "virtio-serial-pci", "-device", "virtconsole,chardev=control",
            "-netdev", f"dgram,id=net,local.type=fd,local.str={network.fileno()}",
            "-device", f"virtio-net-pci,netdev=net,mac=52:54:00:00:00:{nodeid:02x},romfile=",
        ]  # fmt: skip
        for index in range(len(self.disks_mib)):
            command += ["-drive", f"file={self.disk(index)},format=raw,if=virtio,cache=writeback,file.locking=off"]
        with open(self._directory / f"qemu{nodeid}.log", "wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       pass_fds=(control.fileno(), network.fileno()))
        control.close()
        network.close()
        self._processes.append(process)
        self.nodes[nodeid] = Node(nodeid, process, ours, console)
        return self.nodes[nodeid]

    # -- disks, as this machine sees them
    def disk(self, index: int) -> Path:
        """The file behind a shared disk: 0 is /dev/vda."""
        assert self._directory is not None
        return self._directory / f"disk{index}.img"

    def fill_disk(self, index: int, seed: int) -> None:
        """Fill a disk with bytes that `seed` determines. Do so only while no node uses it."""
        with open(self.disk(index), "r+b") as image:
            image.write(random.Random(seed).randbytes(self.disks_mib[index] * MIB))

    def read_disk(self, index: int, offset: int = 0, length: int | None = None) -> bytes:
        """What is on a disk. Complete only once the node that wrote it was told so (O_DIRECT, sync)."""
        with open(self.disk(index), "rb") as image:
            image.seek(offset)
            return image.read() if length is None else image.read(length)

    # -- network
    def cut_link(self, nodeid: int) -> None:
        """Unplug a node's network."""
        assert self._segment is not None
        self._segment.cut(nodeid)

    def heal_link(self, nodeid: int) -> None:
        """Plug a node's network in again."""
        assert self._segment is not None
        self._segment.heal(nodeid)

    # -- corosync
    def _corosync_conf(self) -> str:
        nodes = "".join(f" node {{\n  ring0_addr: 10.11.0.{n}\n  nodeid: {n}\n  name: node{n}\n }}\n"
                        for n in range(1, self.count + 1))
        return (f"totem {{\n version: 2\n cluster_name: test\n transport: knet\n token: {self.token_ms}\n"
                " crypto_cipher: none\n crypto_hash: none\n}\n"
                f"nodelist {{\n{nodes}}}\n"
                "quorum {\n provider: corosync_votequorum\n}\n"
                "logging {\n to_stderr: no\n to_syslog: no\n to_logfile: yes\n logfile: /var/log/corosync.log\n}\n")

    def start_corosync(self, nodes: Iterable[int] | None = None, members: int | None = None, timeout: float = 120) -> None:
        """Start corosync on `nodes` (default: all) and wait until each of them sees `members` (default: all) and quorum."""
        chosen = [self.nodes[n] for n in nodes] if nodes is not None else list(self.nodes.values())
        for node in chosen:
            node.check("corosync")
        for node in chosen:
            self.wait_quorate(node, self.count if members is None else members, timeout)

    def wait_quorate(self, node: Node, members: int, timeout: float = 120) -> None:
        """Wait until `node` sees so many members and quorum."""
        def quorate() -> bool:
            out = node.run("corosync-quorumtool -s")[1]
            return bool(re.search(rf"^Nodes:\s+{members}$", out, re.MULTILINE) and re.search(r"^Quorate:\s+Yes$", out, re.MULTILINE))

        wait_for(f"node {node.nodeid} in a cluster of {members} with quorum", quorate, timeout)

    def stop_corosync(self, node: Node, timeout: float = 60) -> None:
        """End corosync on a node and wait until it is gone."""
        node.run("killall corosync")
        wait_for(f"corosync of node {node.nodeid} ends", lambda: not node.pids("corosync"), timeout)


def exit_on_signals() -> None:
    """Leave through the clean-up on SIGTERM and SIGHUP, as on Ctrl-C: unittest would take a SystemExit for a test's result."""
    def leave(number: int, _frame: object) -> NoReturn:
        raise KeyboardInterrupt(signal.Signals(number).name)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, leave)


def quote(word: object) -> str:
    """One word of a shell command."""
    return shlex.quote(str(word))


__all__ = ["Cluster", "Job", "Node", "NodeError", "NodeGone", "SetupError", "quote", "wait_for"]
