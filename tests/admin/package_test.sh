#!/usr/bin/env bash
# The package's own test (debian/tests/installed) on a copy of this system, into which the package is installed, and which is
# thrown away; whatever the package brought must be gone when it is purged.
#   package_test.sh <folder of the package>
set -euo pipefail
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
package=$(echo "$1"/cmirrord_*.deb)
skipped=77

if [ "${2:-}" != inside ]; then
  [ "$(id -u)" = 0 ] || { echo "only root can install packages"; exit $skipped; }
  exec unshare --mount --pid --fork "${BASH_SOURCE[0]}" "$1" inside
fi

# Only this namespace sees it.
copy=/mnt
mount -t tmpfs tmpfs "$copy"
mkdir "$copy"/{upper,work,root}
root=$copy/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$copy/upper,workdir=$copy/work" "$root" || { echo "no overlays here"; exit $skipped; }
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount --rbind /dev "$root/dev"
cp "$package" "$root/tmp/cmirrord.deb"
cp "$project/debian/tests/installed" "$root/tmp/"
# No service is started: there is no systemd.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"

inside() {
  chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive "$@"
}

inside dpkg --path-include='*' --install /tmp/cmirrord.deb
inside dpkg --verify cmirrord
inside sh /tmp/installed
inside dpkg --purge cmirrord
left=$(inside find /etc /lib/systemd /run /usr/bin /usr/sbin /usr/share /var/lib/systemd -name '*cmirror*')
[ -z "$left" ] || { echo "left behind: $left" >&2; exit 1; }
