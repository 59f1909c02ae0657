# shellcheck shell=bash
# Sourced by the scripts here.

PROJECT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${BUILD:-$PROJECT/build}

if [ -t 1 ]; then
  BOLD=$'\e[1m' GREEN=$'\e[32m' RED=$'\e[31m' PLAIN=$'\e[0m'
else
  BOLD='' GREEN='' RED='' PLAIN=''
fi

# fail <message>: end with one clear line.
fail() {
  printf '%s%s: %s%s\n' "$RED" "$(basename "$0")" "$*" "$PLAIN" >&2
  exit 1
}

# stage <title> <command>...: run a command, with a title before and the time it took after it.
stage() {
  local title=$1 begin=$SECONDS
  shift
  printf '%s==> %s%s\n' "$BOLD" "$title" "$PLAIN"
  "$@" || fail "failed: $title (after $((SECONDS - begin)) s)"
  printf '%s    done: %s, %d s%s\n' "$GREEN" "$title" "$((SECONDS - begin))" "$PLAIN"
}

# How many compilers may run at once: one a processor, as far as memory goes.
jobs_max() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo)
  [ "$memory" -ge 1 ] || memory=1
  echo $((cores < memory ? cores : memory))
}

# CMIRROR_SIM_FRESH, if set: tests with fresh seeds of the simulation as well.
configure() {
  cmake -S "$PROJECT" -B "$BUILD" -G Ninja -DCMIRROR_SIM_FRESH="${CMIRROR_SIM_FRESH:+ON}"
}

# build [target...]: default all.
build() {
  local targets=()
  [ $# -eq 0 ] || targets=(--target "$@")
  cmake --build "$BUILD" -j "${JOBS:-$(jobs_max)}" "${targets[@]}"
}
