#!/usr/bin/env bash
# Prints the path of a Chromium for the browser tests, installing Debian's where there is none.
# EVERVALUE_CHROMIUM, or any Chromium or Chrome that is already there, comes first.
set -euo pipefail
. "$(dirname "$0")/from_debian.sh"

program() {
  local name
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name"; then return 0; fi
  done
  for name in "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" \
              "/Applications/Chromium.app/Contents/MacOS/Chromium"; do
    if [ -x "$name" ]; then echo "$name"; return 0; fi
  done
  return 1
}

variable=EVERVALUE_CHROMIUM
needed="the browser tests need Chromium or Chrome"
called=Chromium
otherwise=(
  "Install one and call make again, or set EVERVALUE_CHROMIUM to its path,"
  "or run the other tests alone: make test BROWSER=no"
)
packages=(chromium fonts-liberation)
found_or_installed
