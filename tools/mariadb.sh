#!/usr/bin/env bash
# Prints the path of a MariaDB server for the tests, installing Debian's where there is none.
# EVERVALUE_MARIADB, or any mariadbd that is already there, comes first. The service is not started.
set -euo pipefail

found() {
  local name
  if [ -n "${EVERVALUE_MARIADB:-}" ]; then
    if [ -x "$EVERVALUE_MARIADB" ]; then echo "$EVERVALUE_MARIADB"; return 0; fi
    echo "Error: EVERVALUE_MARIADB is set to '$EVERVALUE_MARIADB', which cannot be run." >&2
    exit 1
  fi
  command -v my_print_defaults > /dev/null || return 1  # what initialises a data folder asks for it
  for name in mariadbd /usr/sbin/mariadbd /usr/local/sbin/mariadbd /opt/homebrew/bin/mariadbd; do
    if command -v "$name"; then return 0; fi
  done
  return 1
}

found && exit 0

help_yourself() {
  echo "Error: tests of MySQL and MariaDB sources need a MariaDB server. $1" >&2
  echo "       Install one (Debian: mariadb-server-core and mariadb-client-core) and call make again, or set" >&2
  echo "       EVERVALUE_MARIADB to the path of its mariadbd, or run the other tests alone: make test MARIADB=no" >&2
  exit 1
}

command -v apt-get > /dev/null || help_yourself "None was found on this machine."
as_root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo > /dev/null || help_yourself "Installing Debian's needs root or sudo."
  as_root=(sudo)
fi
echo "Installing Debian's MariaDB for the tests." >&2
export DEBIAN_FRONTEND=noninteractive
apt=("${as_root[@]}" apt-get -q -o DPkg::Lock::Timeout=300)
# The core packages have the binaries alone: no service, no user, nothing that is started.
{ "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends mariadb-server-core mariadb-client-core; } > /dev/null \
  || help_yourself "apt-get could not install Debian's; its reason is above."
found || help_yourself "apt-get installed Debian's, but it cannot be found."
