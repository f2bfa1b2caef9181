# shellcheck shell=bash
# What scripts need to know about systemd inside a container. Uses the function or program `pct`.

# wait_for_systemd VMID: until systemd inside listens to systemctl. `pct start` returns when init runs, which is a
# tenth of a second before; systemctl then says "Failed to connect to bus". Fails after 30 seconds.
wait_for_systemd() {
  local attempt
  for attempt in $(seq 300); do
    if pct exec "$1" -- test -S /run/systemd/private; then return 0; fi
    sleep 0.1
  done
  echo "no /run/systemd/private after $attempt looks" >&2
  return 1
}
