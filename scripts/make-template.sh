#!/usr/bin/env bash
# Makes a container template.
#
#   make-template.sh debian 12|13 OUTPUT.tar.zst [--refresh]    from the Debian mirror that apt is configured with
#   make-template.sh busybox OUTPUT.tar.zst                     locally, from busybox-static; needs no network
#
# Debian templates are kept in ${HUTCH_CACHE:-/var/cache/hutch-templates} and made again only when their
# recipe (suite and package list) changed or with --refresh. Exit status 3: no Debian mirror is reachable
# (the caller may take the busybox template instead); 1: anything else.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"
# shellcheck source=scripts/lib/packages.sh
. "$HUTCH_TOP/scripts/lib/packages.sh"

readonly NO_MIRROR=3
# dbus: without a bus systemd-logind fails and the boot ends as `degraded`.
readonly TEMPLATE_INCLUDE=dbus,ifupdown,iproute2,iputils-ping,netbase,procps,systemd-sysv
CACHE=${HUTCH_CACHE:-/var/cache/hutch-templates}
SCRATCH=

usage() {
  sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

remove_scratch() { [ -z "$SCRATCH" ] || rm -rf --one-file-system "$SCRATCH"; }

suite_of() {
  case $1 in
    12) echo bookworm ;;
    13) echo trixie ;;
    *) die "Debian release '$1' is not known: say 12 or 13" ;;
  esac
}

# reachable URI SUITE: asks through apt, so that apt's proxy settings hold.
reachable() {
  /usr/lib/apt/apt-helper -o Acquire::Retries=1 -o Acquire::http::Timeout=15 -o Acquire::https::Timeout=15 \
    download-file "${1%/}/dists/$2/InRelease" "$SCRATCH/InRelease" >/dev/null 2>&1
}

# find_sources SUITE: sets SOURCES, the lines of a one-line sources list; fails when there is no mirror.
find_sources() {
  local suite=$1 uri main='' security=''
  if [ -z "$(debian_uris Debian)" ]; then
    apt-get -q update >/dev/null 2>&1 || true
  fi
  while read -r uri; do
    if reachable "$uri" "$suite"; then
      main=$uri
      break
    fi
  done < <(debian_uris Debian)
  [ -n "$main" ] || return 1
  while read -r uri; do
    if reachable "$uri" "$suite-security"; then
      security=$uri
      break
    fi
  done < <(debian_uris Debian-Security)
  SOURCES=("deb $main $suite main")
  [ -z "$security" ] || SOURCES+=("deb $security $suite-security main")
}

# make_debian SUITE FILE: bootstraps and packs.
make_debian() {
  local suite=$1 file=$2 keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  if command -v mmdebstrap >/dev/null; then
    # The archive comes with numeric owners, file capabilities and POSIX ACLs; caches are cleaned by default.
    # shellcheck disable=SC2016  # $1 is the hook's own: the root being made
    mmdebstrap --quiet --mode=root --variant=minbase --include="$TEMPLATE_INCLUDE" --keyring="$keyring" \
      --customize-hook='rm -f "$1"/etc/hostname "$1"/etc/resolv.conf "$1"/etc/machine-id' \
      --customize-hook=': >"$1"/etc/machine-id' \
      --format=tar "$suite" - "${SOURCES[@]}" | zstd -q -T0 -3 -o "$file"
  elif command -v debootstrap >/dev/null; then
    local root=$SCRATCH/root uri
    uri=$(cut -d' ' -f2 <<<"${SOURCES[0]}")
    debootstrap --variant=minbase --include="$TEMPLATE_INCLUDE" --keyring="$keyring" "$suite" "$root" "$uri" >&2
    printf '%s\n' "${SOURCES[@]}" >"$root/etc/apt/sources.list"
    chroot "$root" apt-get clean
    rm -rf "$root"/var/lib/apt/lists/* "$root"/etc/hostname "$root"/etc/resolv.conf
    : >"$root/etc/machine-id"
    tar --numeric-owner --acls --xattrs --xattrs-include='security.capability' --sparse --one-file-system \
      -C "$root" -cf - . | zstd -q -T0 -3 -o "$file"
  else
    die "neither mmdebstrap nor debootstrap is installed"
  fi
}

debian_template() {
  local release=$1 output=$2 refresh=$3 suite name cached recipe
  suite=$(suite_of "$release")
  name=debian-$release-standard_$(dpkg --print-architecture).tar.zst
  cached=$CACHE/$name
  recipe="suite=$suite variant=minbase include=$TEMPLATE_INCLUDE recipe=1"

  mkdir -p "$CACHE"
  exec 9>"$CACHE/.lock-$suite"
  flock 9
  if [ "$refresh" = yes ] || [ ! -s "$cached" ] || [ "$(cat "$cached.recipe" 2>/dev/null)" != "$recipe" ]; then
    need_root
    ensure_packages "${HUTCH_TEMPLATE_PACKAGES[@]}"
    if ! find_sources "$suite"; then
      die "no Debian mirror of apt's configuration is reachable, and '$cached' was not made before" "$NO_MIRROR"
    fi
    say "making $name from $(cut -d' ' -f2 <<<"${SOURCES[0]}") (kept in $CACHE)"
    make_debian "$suite" "$SCRATCH/$name"
    rm -f "$cached.recipe"
    mv "$SCRATCH/$name" "$cached"
    printf '%s\n' "$recipe" >"$cached.recipe"
  fi
  deliver "$cached" "$output"
}

# deliver FILE OUTPUT: a copy appears under its name whole or not at all.
deliver() {
  [ "$(readlink -f "$1")" != "$(readlink -m "$2")" ] || return 0
  mkdir -p "$(dirname "$2")"
  cp --reflink=auto "$1" "$2.part.$$"
  mv "$2.part.$$" "$2"
}

busybox_template() {
  local output=$1 busybox root=$SCRATCH/root applet
  ensure_packages busybox-static zstd
  busybox=$(command -v busybox) || die "busybox is not installed"
  say "making a small busybox template (not Debian)"
  mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin,etc/network,proc,sys,dev,root,home,run,mnt,var/log,var/lib,var/tmp,tmp}
  chmod 1777 "$root/tmp" "$root/var/tmp"
  chmod 0700 "$root/root"
  cp "$busybox" "$root/bin/busybox"
  # Host-only applets that would need a host's own files are harmless; init and sh are what counts.
  while read -r applet; do
    [ "$applet" = bin/busybox ] || [ -e "$root/$applet" ] || ln -s /bin/busybox "$root/$applet"
  done < <("$busybox" --list-full)
  [ -e "$root/sbin/init" ] || ln -s /bin/busybox "$root/sbin/init"
  [ -e "$root/bin/sh" ] || ln -s /bin/busybox "$root/bin/sh"
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n' >"$root/etc/passwd"
  printf 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n' >"$root/etc/group"
  printf 'root:*:19000:0:99999:7:::\n' >"$root/etc/shadow"
  chmod 0640 "$root/etc/shadow"
  cat >"$root/etc/inittab" <<'INITTAB'
::sysinit:/etc/rc
::restart:/sbin/init
::ctrlaltdel:/sbin/reboot
INITTAB
  cat >"$root/etc/rc" <<'RC'
#!/bin/sh
[ -s /etc/hostname ] && hostname -F /etc/hostname
ip link set lo up
[ -s /etc/network/interfaces ] && ifup -a
exit 0
RC
  chmod 0755 "$root/etc/rc"
  mkdir -p "$root"/etc/network/if-{pre-up,up,down,post-down}.d
  tar --numeric-owner --owner=0 --group=0 --sort=name -C "$root" -cf - . | zstd -q -T0 -3 -o "$SCRATCH/busybox.tar.zst"
  deliver "$SCRATCH/busybox.tar.zst" "$output"
}

main() {
  local refresh=no arguments=() argument
  for argument in "$@"; do
    case $argument in
      --refresh) refresh=yes ;;
      -*) usage ;;
      *) arguments+=("$argument") ;;
    esac
  done
  set -- "${arguments[@]}"
  trap remove_scratch EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  umask 022
  SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/hutch-template.XXXXXX")
  case ${1:-} in
    debian) [ $# -eq 3 ] || usage; debian_template "$2" "$3" "$refresh" ;;
    busybox) [ $# -eq 2 ] || usage; busybox_template "$2" ;;
    *) usage ;;
  esac
}

main "$@"
