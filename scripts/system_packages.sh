#!/bin/sh
# Make sure that programs the tests run are there: install them where that is allowed, else name
# the first one that is missing. Arguments are programs, with `:package` after those whose Debian
# package has another name, and `/program` after those that another one can stand in for.
set -eu
for wanted in "$@"; do
  other=${wanted#*/}
  wanted=${wanted%%/*}
  program=${wanted%%:*}
  package=${wanted##*:}
  command -v "$program" >/dev/null && continue
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -qq -y --no-install-recommends "$package" >/dev/null \
      && continue
  fi
  command -v "$other" >/dev/null && continue
  echo "The tests need '$program'. Please install it and run again." >&2
  exit 1
done
