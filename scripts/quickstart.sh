#!/usr/bin/env bash
# From a fresh Debian machine to a running container: installs what the build needs, builds, makes a Debian
# template (a busybox one when no mirror is reachable), makes the bridge vmbr0 if the host has none, and then
# creates, starts, examines, stops and destroys a container, showing every command.
#
#   sudo scripts/quickstart.sh [--keep]
#
# At the end, also after a failure or Ctrl-C, the container and the bridge that it made are removed; --keep
# leaves both, and the container running. The template stays for the next run.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"
# shellcheck source=scripts/lib/packages.sh
. "$HUTCH_TOP/scripts/lib/packages.sh"
# shellcheck source=scripts/lib/systemd.sh
. "$HUTCH_TOP/scripts/lib/systemd.sh"

readonly BRIDGE=vmbr0 HOST_ADDRESS=10.10.10.1 GUEST_ADDRESS=10.10.10.2
readonly TEMPLATES=/var/lib/vz/template/cache
KEEP=no VMID='' MADE_CONTAINER=no MADE_BRIDGE=no MADE_ADDRESS=no KIND=debian

# show WORD...: prints a command as one would type it and runs it.
show() {
  printf '\n$'
  printf ' %s' "$@"
  printf '\n'
  "$@"
}

# step WHAT WORD...: a command that has to succeed.
step() {
  local what=$1
  shift
  show "$@" || die "$what failed: '$*' ended with status $?"
}

clean_up() {
  local status=$?
  trap - EXIT
  trap '' INT TERM HUP
  if [ "$KEEP" = yes ]; then
    [ "$MADE_CONTAINER" = no ] || say "kept: container $VMID and bridge $BRIDGE; build/release/cli/pct manages it"
    exit "$status"
  fi
  if [ "$MADE_CONTAINER" = yes ]; then
    pct unlock "$VMID" >/dev/null 2>&1 || true
    pct destroy "$VMID" --force 1 || { say "could not remove container $VMID"; status=1; }
  fi
  if [ "$MADE_BRIDGE" = yes ]; then
    ip link del "$BRIDGE" || { say "could not remove bridge $BRIDGE"; status=1; }
  elif [ "$MADE_ADDRESS" = yes ]; then
    ip addr del "$HOST_ADDRESS/24" dev "$BRIDGE" || { say "could not remove $HOST_ADDRESS from $BRIDGE"; status=1; }
  fi
  exit "$status"
}

make_template() {
  local arch status=0
  arch=$(dpkg --print-architecture)
  TEMPLATE=debian-12-standard_$arch.tar.zst
  "$HUTCH_TOP/scripts/make-template.sh" debian 12 "$TEMPLATES/$TEMPLATE" || status=$?
  if [ "$status" -eq 3 ]; then
    say "no Debian mirror is reachable: going on with a small busybox system instead of Debian"
    KIND=busybox
    TEMPLATE=busybox_$arch.tar.zst
    "$HUTCH_TOP/scripts/make-template.sh" busybox "$TEMPLATES/$TEMPLATE"
  elif [ "$status" -ne 0 ]; then
    die "could not make the template (make-template.sh ended with status $status)"
  fi
}

make_bridge() {
  if ! ip link show dev "$BRIDGE" >/dev/null 2>&1; then
    step "making the bridge" ip link add "$BRIDGE" type bridge
    MADE_BRIDGE=yes
    step "bringing the bridge up" ip link set "$BRIDGE" up
  fi
  if ! ip -4 addr show dev "$BRIDGE" | grep -q "inet $HOST_ADDRESS/"; then
    step "giving the bridge its address" ip addr add "$HOST_ADDRESS/24" dev "$BRIDGE"
    MADE_ADDRESS=yes
  fi
}

choose_vmid() {
  VMID=100
  while [ -e "/etc/pve/lxc/$VMID.conf" ] || compgen -G "/etc/pve/nodes/*/*/$VMID.conf" >/dev/null; do
    VMID=$((VMID + 1))
  done
  [ "$VMID" -eq 100 ] || say "container 100 exists already: using $VMID"
}

# The state that systemd settled on; names the units when it is `degraded`.
check_running() {
  local state
  wait_for_systemd "$VMID" || die "systemd inside does not come up"
  printf '\n$ pct exec %s -- systemctl is-system-running --wait\n' "$VMID"
  state=$(pct exec "$VMID" -- systemctl is-system-running --wait) || true
  echo "$state"
  case $state in
    running) ;;
    degraded)
      show pct exec "$VMID" -- systemctl --failed --no-pager
      say "the container is degraded: the units above failed"
      ;;
    *) die "systemd inside says '$state', not 'running'" ;;
  esac
}

wait_for_ping() {
  printf '\n$ ping -c 1 %s\n' "$GUEST_ADDRESS"
  local attempt
  for attempt in 1 2 3 4 5 6 7 8 9 10; do
    if ping -c 1 -W 1 "$GUEST_ADDRESS"; then return 0; fi
    say "no answer yet ($attempt of 10)"
    sleep 0.5
  done
  die "$GUEST_ADDRESS does not answer a ping from the host"
}

check_output() {
  local what=$1 pattern=$2 output
  shift 2
  printf '\n$'
  printf ' %s' "$@"
  printf '\n'
  output=$("$@") || die "$what failed: '$*' ended with status $?"
  printf '%s\n' "$output"
  grep -Eq -- "$pattern" <<<"$output" || die "$what: the output of '$*' has no '$pattern'"
}

enter_container() {
  local output
  printf "\n\$ echo 'hostname; id -u' | pct enter %s\n" "$VMID"
  output=$(echo 'hostname; id -u' | pct enter "$VMID") || die "pct enter failed with status $?"
  printf '%s\n' "$output"
  [ "$(grep -Exc 'web|0' <<<"$output")" -ge 2 ] || die "pct enter did not reach root's shell of 'web'"
}

run_job() {
  local net0="name=eth0,bridge=$BRIDGE,ip=$GUEST_ADDRESS/24,gw=$HOST_ADDRESS"
  # busybox has no network files that `pct` could write: the host gives it its address.
  [ "$KIND" = debian ] || net0+=,host-managed=1
  step "creating the container" pct create "$VMID" "local:vztmpl/$TEMPLATE" --hostname web --memory 512 --swap 0 \
    --cores 1 --cpulimit 0.5 --unprivileged 1 \
    --net0 "$net0"
  # Only now: a create that fails cleans up itself, and what then has this number is not ours.
  MADE_CONTAINER=yes
  step "starting the container" pct start "$VMID"
  check_output "listing" "^$VMID +running" pct list
  check_output "status" '^status: running' pct status "$VMID" --verbose
  [ "$KIND" = busybox ] || check_running
  check_output "the container's address" "$GUEST_ADDRESS/24" pct exec "$VMID" -- ip -4 addr show eth0
  wait_for_ping
  enter_container
  check_output "config" '^hostname: web' pct config "$VMID"
  step "printing the plan" pct plan "$VMID"
  [ "$KEEP" = no ] || return 0
  step "shutting down" pct shutdown "$VMID"
  check_output "status" '^status: stopped' pct status "$VMID"
  step "destroying the container" pct destroy "$VMID"
  MADE_CONTAINER=no
}

main() {
  case ${1:-} in
    '') ;;
    --keep) KEEP=yes ;;
    *) sed -n '6,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
  need_root
  ensure_packages "${HUTCH_BUILD_PACKAGES[@]}" "${HUTCH_RUN_PACKAGES[@]}" "${HUTCH_TEMPLATE_PACKAGES[@]}"
  say "building (build/release)"
  build_preset release -DBUILD_TESTING=OFF -DHUTCH_BENCH=OFF
  PATH=$HUTCH_TOP/build/release/cli:$PATH
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  trap 'exit 129' HUP
  make_template
  choose_vmid
  make_bridge
  run_job
  printf '\n'
  say "done: every step succeeded"
}

main "$@"
