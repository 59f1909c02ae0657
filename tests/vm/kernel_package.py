#!/usr/bin/env python3
"""A Debian kernel with its modules, unpacked from its package and kept in a cache directory (never installed)."""
from __future__ import annotations

import argparse
import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGE_NAME = re.compile(r"linux-image-(\d[\w.+-]*)-cloud-amd64$")


class KernelError(RuntimeError):
    """No kernel could be had; the message says what to do."""


def default_cache() -> Path:
    """$CMIRROR_VM_CACHE, or `.cache/vm` of the checkout."""
    return Path(os.environ.get("CMIRROR_VM_CACHE") or CHECKOUT / ".cache" / "vm")


def _version_key(tree: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", tree.name)]


def cached_kernel(cache: Path) -> Path | None:
    """The newest unpacked kernel in the cache."""
    trees = [tree for tree in cache.glob("linux-image-*-cloud-amd64") if PACKAGE_NAME.match(tree.name)]
    return max(trees, key=_version_key, default=None)


def _current_package() -> str:
    depends = subprocess.run(["apt-cache", "depends", "linux-image-cloud-amd64"], capture_output=True, text=True)
    found = re.findall(r"Depends: (linux-image-\S+-cloud-amd64)", depends.stdout)
    if not found:
        raise KernelError("apt knows no package linux-image-cloud-amd64: run scripts/setup (or apt-get update)")
    return found[0]


def kernel_tree(cache: Path | None = None) -> Path:
    """The root of an unpacked kernel package (with boot/ and lib/modules/), downloaded once.

    Safe to call from several processes at a time. Raises KernelError."""
    cache = cache or default_cache()
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return cached_kernel(cache) or _download(cache)


def _download(cache: Path) -> Path:
    package = _current_package()
    work = cache / "download"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        # apt as root hands downloads to the user _apt where it may write; here it may not, which is only worth a warning.
        fetched = subprocess.run(["apt-get", "-o", "APT::Sandbox::User=root", "download", package], cwd=work,
                                 capture_output=True, text=True)
        packages = list(work.glob("*.deb"))
        if fetched.returncode or not packages:
            raise KernelError(f"cannot download {package}: {fetched.stderr.strip()}\n"
                              "run scripts/setup (or apt-get update)")
        unpacked = work / "tree"
        subprocess.run(["dpkg", "-x", packages[0], unpacked], check=True)
        return unpacked.rename(cache / package)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Fetch the kernel of the virtual machines and print where it is.")
    parser.add_argument("--cache", type=Path, help="directory that keeps it (default: $CMIRROR_VM_CACHE or .cache/vm)")
    try:
        print(kernel_tree(parser.parse_args().cache))
    except KernelError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
