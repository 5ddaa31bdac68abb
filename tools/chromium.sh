#!/usr/bin/env bash
# Prints the path of a Chromium for the browser tests, installing Debian's where there is none.
# EVERVALUE_CHROMIUM, or any Chromium or Chrome that is already there, comes first.
set -euo pipefail

found() {
  local name
  if [ -n "${EVERVALUE_CHROMIUM:-}" ]; then
    if [ -x "$EVERVALUE_CHROMIUM" ]; then echo "$EVERVALUE_CHROMIUM"; return 0; fi
    echo "Error: EVERVALUE_CHROMIUM is set to '$EVERVALUE_CHROMIUM', which cannot be run." >&2
    exit 1
  fi
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name"; then return 0; fi
  done
  for name in "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" \
              "/Applications/Chromium.app/Contents/MacOS/Chromium"; do
    if [ -x "$name" ]; then echo "$name"; return 0; fi
  done
  return 1
}

found && exit 0

help_yourself() {
  echo "Error: the browser tests need Chromium or Chrome. $1" >&2
  echo "       Install one and call make again, or set EVERVALUE_CHROMIUM to its path," >&2
  echo "       or run the other tests alone: make test BROWSER=no" >&2
  exit 1
}

command -v apt-get > /dev/null || help_yourself "None was found on this machine."
as_root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo > /dev/null || help_yourself "Installing Debian's needs root or sudo."
  as_root=(sudo)
fi
echo "Installing Debian's Chromium for the browser tests." >&2
export DEBIAN_FRONTEND=noninteractive
apt=("${as_root[@]}" apt-get -q -o DPkg::Lock::Timeout=300)
{ "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends chromium fonts-liberation; } > /dev/null \
  || help_yourself "apt-get could not install Debian's; its reason is above."
found || help_yourself "apt-get installed Debian's, but it cannot be found."
