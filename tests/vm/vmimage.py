"""What the virtual machines boot: a Debian kernel package, unpacked, and an initramfs made of this machine's programs.

`python3 vmimage.py` fetches the kernel ahead of time and prints where it is.
"""
from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

CACHE_VARIABLE = "CMIRROR_VM_CACHE"
PROJECT = Path(__file__).resolve().parents[2]
METAPACKAGE = "linux-image-cloud-amd64"

# What a node uses directly; what these depend on is found in the modules themselves.
MODULES = ("virtio_pci", "virtio_net", "virtio_blk", "virtio_console", "dm-mod", "dm-mirror", "dm-log-userspace", "dm-flakey")

# Programs of a node beside busybox, and the packages they come from.
SYSTEM_PROGRAMS = {
    "/usr/sbin/corosync": "corosync",
    "/usr/sbin/corosync-cfgtool": "corosync",
    "/usr/sbin/corosync-cmapctl": "corosync",
    "/usr/sbin/corosync-cpgtool": "corosync",
    "/usr/sbin/corosync-quorumtool": "corosync",
    "/usr/sbin/dmsetup": "dmsetup",
    "/usr/bin/setpriv": "util-linux",
}


class SetupError(RuntimeError):
    """This machine lacks something; the message says what to do."""


def need_program(name: str, package: str) -> str:
    """The path of a program of this machine, or an error that names its package."""
    path = shutil.which(name)
    if path is None:
        raise SetupError(f"{name} is missing: install the Debian package {package} (scripts/setup installs everything)")
    return path


# -- kernel ------------------------------------------------------------------------------------------------------------


def default_cache() -> Path:
    """Where kernel packages are kept: $CMIRROR_VM_CACHE, else .cache/vm of the checkout."""
    return Path(os.environ.get(CACHE_VARIABLE) or PROJECT / ".cache" / "vm")


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    with open(path, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _version_key(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path.name)]


def unpack_kernel(cache: Path | None = None) -> Path:
    """The root of an unpacked Debian kernel package; downloads and unpacks one only if the cache has none."""
    cache = cache or default_cache()
    cache.mkdir(parents=True, exist_ok=True)
    with _exclusive(cache / "lock"):
        known = [root for root in cache.glob("linux-image-*-cloud-amd64") if list(root.glob("boot/vmlinuz-*"))]
        return max(known, key=_version_key) if known else _download_kernel(cache)


def _download_kernel(cache: Path) -> Path:
    need_program("apt-get", "apt")
    depends = subprocess.run(["apt-cache", "depends", METAPACKAGE], capture_output=True, text=True, check=False).stdout
    found = re.search(r"Depends: (linux-image-\S+-cloud-amd64)", depends)
    if found is None:
        raise SetupError(f"apt knows no package {METAPACKAGE}: run apt-get update (the machines boot Debian's kernel)")
    package = found[1]
    with tempfile.TemporaryDirectory(dir=cache, prefix="unpack-") as work:
        # As root apt would hand the download to the user _apt, who cannot write here.
        get = subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package],
                             cwd=work, capture_output=True, text=True, check=False)
        debs = list(Path(work).glob("*.deb"))
        if get.returncode or not debs:
            raise SetupError(f"cannot download {package} (perhaps apt-get update is due):\n{get.stdout}{get.stderr}")
        subprocess.run(["dpkg", "-x", str(debs[0]), f"{work}/root"], check=True)
        (Path(work) / "root").rename(cache / package)
    return cache / package


def kernel_image(kernel: Path) -> Path:
    """The bootable file of an unpacked kernel package."""
    return next(kernel.glob("boot/vmlinuz-*"))


def module_files(kernel: Path, names: Iterable[str]) -> list[Path]:
    """The files of `names` and of all modules that they depend on, in the order in which they can be loaded."""
    files = {path.stem.replace("-", "_"): path for path in kernel.glob("lib/modules/*/kernel/**/*.ko")}
    ordered: dict[str, Path] = {}

    def add(name: str) -> None:
        key = name.replace("-", "_")
        if key in ordered:
            return
        if key not in files:
            raise SetupError(f"the kernel package {kernel.name} has no module {name}")
        depends = re.search(rb"\0depends=([^\0]*)\0", files[key].read_bytes())
        for other in depends[1].decode().split(",") if depends else ():
            if other:
                add(other)
        ordered[key] = files[key]

    for name in names:
        add(name)
    return list(ordered.values())


# -- initramfs ---------------------------------------------------------------------------------------------------------


class Initramfs:
    """A file system for the kernel to unpack into memory (cpio, format newc)."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[int, bytes]] = {}

    def add_directory(self, path: str) -> None:
        """Add a directory and those above it."""
        parts = path.strip("/").split("/")
        for depth in range(1, len(parts) + 1):
            self._entries.setdefault("/".join(parts[:depth]), (0o040755, b""))

    def add(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Add a file, and the directories above it."""
        if "/" in path.strip("/"):
            self.add_directory(path.strip("/").rsplit("/", 1)[0])
        self._entries[path.strip("/")] = (0o100000 | mode, content)

    def add_program(self, source: str, target: str | None = None) -> None:
        """Add a program of this machine, without its debug information, and the libraries that it loads."""
        self.add(target or source, _stripped(source), 0o755)
        self.add_libraries(source)

    def add_libraries(self, program: str) -> None:
        """Add the libraries that a program of this machine loads."""
        for library in _libraries(program):
            if library.strip("/") not in self._entries:
                self.add(library, Path(library).read_bytes(), 0o755)

    def write(self, path: Path) -> None:
        """Write the archive. It is not compressed: emulated machines unpack slowly."""
        with open(path, "wb") as out:
            for number, (name, (mode, content)) in enumerate(self._entries.items(), 1):
                self._write_entry(out, number, name, mode, content)
            self._write_entry(out, 0, "TRAILER!!!", 0, b"")

    @staticmethod
    def _write_entry(out, number: int, name: str, mode: int, content: bytes) -> None:
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        out.write(header + b"\0" * (-len(header) % 4) + content + b"\0" * (-len(content) % 4))


def _libraries(program: str) -> list[str]:
    """Shared libraries that the dynamic linker loads for `program`."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    if "not found" in listed:
        raise SetupError(f"{program} needs libraries that this machine lacks:\n{listed}")
    return re.findall(r"(/\S+) \(0x", listed)


def _stripped(program: str) -> bytes:
    if shutil.which("strip") is None:
        return Path(program).read_bytes()
    with tempfile.NamedTemporaryFile() as out:
        done = subprocess.run(["strip", "--strip-debug", "-o", out.name, program], capture_output=True, check=False)
        return Path(program if done.returncode else out.name).read_bytes()


def build_initramfs(target: Path, kernel: Path, init: str, programs: Iterable[str], files: Mapping[str, str | Path],
                    tools: Iterable[str] = (), libraries_of: Iterable[str] = ()) -> None:
    """Write the initramfs of a node.

    `init` is the script that the kernel starts; `programs` are put into /usr/sbin, `tools` where this machine has them; `files` maps
    paths of the node to text, or to a file of this machine; what programs of `libraries_of` load is there without them.
    """
    image = Initramfs()
    for path in ("bin", "sbin", "usr/bin", "usr/sbin", "proc", "sys", "dev", "run", "tmp", "etc/corosync",
                 "var/lib/corosync", "var/log/corosync"):
        image.add_directory(path)
    image.add("bin/busybox", Path(need_program("busybox", "busybox-static")).read_bytes(), 0o755)
    modules = module_files(kernel, MODULES)
    for module in modules:
        image.add(f"lib/modules/{module.name}", module.read_bytes())
    image.add("lib/modules/order", "".join(f"{module.name}\n" for module in modules).encode())
    for path, package in SYSTEM_PROGRAMS.items():
        image.add_program(need_program(path, package), path)
    for program in programs:
        if not os.path.exists(program):
            raise SetupError(f"{program} does not exist: build the project first (scripts/test builds it)")
        image.add_program(program, f"usr/sbin/{os.path.basename(program)}")
    for tool in tools:
        image.add_program(tool)
    for program in libraries_of:
        image.add_libraries(program)
    for path, content in files.items():
        image.add(path, content.read_bytes() if isinstance(content, Path) else content.encode())
    image.add("init", init.encode(), 0o755)
    image.write(target)


def main() -> int:
    """Fetch the kernel, if need be, and print where it is."""
    try:
        print(unpack_kernel())
    except SetupError as error:
        print(f"vmimage: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
