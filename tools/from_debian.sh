#!/usr/bin/env bash
# Sourced by the scripts beside it: prints the path of a program, installing Debian's where there is none.
#
#   program   prints the path of one that is there, or fails                      (a function of the script)
#   variable  name of the environment variable that comes before any other
#   needed    who needs what, for messages
#   called    what it is called
#   otherwise what to do where it cannot be installed, one line or several
#   packages  Debian's packages

found() {
  if [ -n "${!variable:-}" ]; then
    if [ -x "${!variable}" ]; then echo "${!variable}"; return 0; fi
    echo "Error: $variable is set to '${!variable}', which cannot be run." >&2
    exit 1
  fi
  program
}

help_yourself() {
  echo "Error: $needed. $1" >&2
  printf '       %s\n' "${otherwise[@]}" >&2
  exit 1
}

found_or_installed() {
  found && return 0
  command -v apt-get > /dev/null || help_yourself "None was found on this machine."
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo > /dev/null || help_yourself "Installing Debian's needs root or sudo."
    as_root=(sudo)
  fi
  echo "Installing Debian's $called for the tests." >&2
  export DEBIAN_FRONTEND=noninteractive
  local apt=("${as_root[@]}" apt-get -q -o DPkg::Lock::Timeout=300)
  { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "${packages[@]}"; } > /dev/null \
    || help_yourself "apt-get could not install Debian's; its reason is above."
  found || help_yourself "apt-get installed Debian's, but it cannot be found."
}
