"""The initial RAM disk of a virtual machine: busybox, kernel modules, corosync, dmsetup and the programs under test."""
from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

# In the order of their dependencies. Those that a kernel has built in have no file and are left out.
MODULES = [
    "virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci",
    "failover", "net_failover", "virtio_net", "virtio_blk",
    "dm-mod", "dm-log", "dm-region-hash", "dm-mirror", "dm-log-userspace", "dm-flakey",
]
REQUIRED_MODULES = {"dm-mod", "dm-mirror", "dm-log-userspace", "dm-flakey"}

SYSTEM_PROGRAMS = [
    "/usr/sbin/corosync", "/usr/sbin/corosync-cfgtool", "/usr/sbin/corosync-quorumtool", "/usr/sbin/corosync-cpgtool",
    "/usr/sbin/corosync-cmapctl", "/usr/sbin/dmsetup",
]
PLUGINS = "/usr/lib/x86_64-linux-gnu/kronosnet/*.so"
SCRATCH_DIRECTORIES = ("bin", "sbin", "usr/bin", "usr/sbin", "lib/modules", "proc", "sys", "dev", "run", "tmp", "root",
                       "etc/corosync", "var/lib/corosync", "var/log/corosync")

# Prepares the machine, then becomes busybox's init, which keeps the agent running and buries orphans.
INIT = r"""#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts
mount -t tmpfs shm /dev/shm; mount -t tmpfs run /run; mount -t devpts pts /dev/pts
ln -sfn /run /var/run
for module in @MODULES@; do insmod /lib/modules/$module.ko; done
node=$(sed 's/.*node=\([0-9]*\).*/\1/' /proc/cmdline)
hostname node$node
ip link set lo up; ip link set eth0 up; ip addr add 10.11.0.$node/24 dev eth0
echo "root:x:0:0:root:/:/bin/sh" > /etc/passwd; echo "root:x:0:" > /etc/group
echo "127.0.0.1 localhost" > /etc/hosts; echo "10.11.0.$node node$node" >> /etc/hosts
# The queue of a datagram socket, as systemd sets it: else a burst of more than ten lines is lost on its way to syslog.
echo 512 > /proc/sys/net/unix/max_dgram_qlen
touch /var/log/messages; syslogd -n -O /var/log/messages &
until [ -S /dev/log ]; do usleep 10000; done
stty -F /dev/ttyS1 raw -echo
echo "null::respawn:/agent" > /etc/inittab
exec /bin/busybox init
"""

# A command arrives as `<sequence number> <shell script in base64>` and is answered with a line `@@BEGIN <number>`, the
# output, and a line `@@END <number> <exit status>`.
AGENT = r"""#!/bin/busybox sh
exec 3<>/dev/ttyS1
# Without udev libdevmapper has to make the nodes in /dev/mapper itself.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root DM_DISABLE_UDEV=1
echo "@@READY" >&3
while read -r number script <&3; do
  echo "$script" | base64 -d > /tmp/command
  sh /tmp/command </dev/null >/tmp/output 2>&1 3>&-
  status=$?
  echo "@@BEGIN $number" >&3; cat /tmp/output >&3; echo "" >&3; echo "@@END $number $status" >&3
done
"""


class ImageError(RuntimeError):
    """Something that belongs into the image is missing; the message names it."""


def shared_libraries(program: Path) -> list[Path]:
    """What the dynamic linker loads for `program`. Raises ImageError if one is not to be found."""
    listing = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    missing = re.findall(r"(\S+) => not found", listing)
    if missing:
        raise ImageError(f"{program} needs libraries that are not installed: {', '.join(missing)}")
    return [Path(path) for path in re.findall(r"(/\S+)", listing)]


def _copy(source: Path, root: Path, target: str) -> None:
    destination = root / target.lstrip("/")
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source.resolve(), destination)


def _copy_modules(kernel: Path, root: Path) -> list[str]:
    files = {path.stem: path for path in kernel.glob("lib/modules/*/kernel/**/*.ko")}
    missing = REQUIRED_MODULES - files.keys()
    if missing:
        raise ImageError(f"{kernel} has no module {', '.join(sorted(missing))}")
    present = [name for name in MODULES if name in files]
    for name in present:
        _copy(files[name], root, f"/lib/modules/{name}.ko")
    return present


def build_image(work: Path, kernel: Path, programs: Iterable[Path], corosync_conf: str,
                extra_files: Mapping[str, Path] | None = None) -> Path:
    """Make the image under `work`; `programs` go to /usr/sbin with their libraries, without debugging symbols.

    `extra_files` maps a path in the image to a file here. Raises ImageError."""
    root = work / "root"
    for directory in SCRATCH_DIRECTORIES:
        (root / directory).mkdir(parents=True, exist_ok=True)
    system = [Path(path) for path in SYSTEM_PROGRAMS]
    programs = list(programs)
    for path in [Path("/bin/busybox"), *system, *programs]:
        if not path.exists():
            raise ImageError(f"{path} does not exist: run scripts/setup, or build it")
    _copy(Path("/bin/busybox"), root, "/bin/busybox")
    modules = _copy_modules(kernel, root)
    loaded = {*system, *Path("/").glob(PLUGINS.lstrip("/"))}
    for program in [*loaded, *programs]:
        loaded.update(shared_libraries(program))
    for path in loaded:
        _copy(path, root, str(path))
    for program in programs:
        subprocess.run(["strip", "--strip-debug", "-o", root / "usr/sbin" / program.name, program], check=True)
    for target, source in (extra_files or {}).items():
        _copy(source, root, target)
    (root / "etc/corosync/corosync.conf").write_text(corosync_conf)
    for name, script in {"init": INIT.replace("@MODULES@", " ".join(modules)), "agent": AGENT}.items():
        (root / name).write_text(script)
        (root / name).chmod(0o755)
    return _pack(root, work / "initrd")


def _pack(root: Path, image: Path) -> Path:
    names = "\n".join(sorted(str(path.relative_to(root)) for path in root.rglob("*")))
    with open(image, "wb") as out:
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=names.encode(), stdout=out, check=True)
    shutil.rmtree(root)
    return image
