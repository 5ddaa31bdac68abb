#!/usr/bin/env bash
# Prints the path of a MariaDB server for the tests, installing Debian's where there is none.
# EVERVALUE_MARIADB, or any mariadbd that is already there, comes first. The service is not started.
set -euo pipefail
. "$(dirname "$0")/from_debian.sh"

program() {
  local name
  command -v my_print_defaults > /dev/null || return 1  # what initialises a data folder asks for it
  for name in mariadbd /usr/sbin/mariadbd /usr/local/sbin/mariadbd /opt/homebrew/bin/mariadbd; do
    if command -v "$name"; then return 0; fi
  done
  return 1
}

variable=EVERVALUE_MARIADB
needed="tests of MySQL and MariaDB sources need a MariaDB server"
called=MariaDB
otherwise=(
  "Install one (Debian: mariadb-server-core and mariadb-client-core) and call make again, or set"
  "EVERVALUE_MARIADB to the path of its mariadbd, or run the other tests alone: make test MARIADB=no"
)
# The core packages have the binaries alone: no service, no user, nothing that is started.
packages=(mariadb-server-core mariadb-client-core)
found_or_installed
