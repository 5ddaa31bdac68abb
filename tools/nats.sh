#!/usr/bin/env bash
# Prints the path of a NATS server for the tests, installing Debian's where there is none.
# EVERVALUE_NATS, or any nats-server that is already there, comes first. The service is not left running.
set -euo pipefail
. "$(dirname "$0")/from_debian.sh"

program() {
  local name
  for name in nats-server /usr/sbin/nats-server /usr/local/bin/nats-server /opt/homebrew/bin/nats-server; do
    if command -v "$name"; then return 0; fi
  done
  return 1
}

# Debian's package starts a service that all of the network can reach; the tests start their own, on loopback.
without_service() {
  [ -d /run/systemd/system ] || return 0
  local as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  "${as_root[@]}" systemctl disable --quiet --now nats-server > /dev/null 2>&1 || true
}

variable=EVERVALUE_NATS
needed="tests of NATS streams need a NATS server"
called="NATS server"
otherwise=(
  "Install one (Debian: nats-server) and call make again, or set EVERVALUE_NATS to its path,"
  "or run the other tests alone: make test NATS=no"
)
packages=(nats-server)
if found; then exit 0; fi
found_or_installed
without_service
