#!/bin/sh
# Compose files that were made for Butler may name its program ("node src/butler.js -c ..."): its options are what counts.
set -eu
if [ "${1:-}" = node ]; then
  shift
  case "${1:-}" in *.js) shift ;; esac
fi
exec "$(dirname "$0")/footman" "$@"
