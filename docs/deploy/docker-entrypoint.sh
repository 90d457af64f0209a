#!/bin/sh
# AORTA_DOMAIN names the domains that `serve` serves, with spaces or commas between them; all else is as the command line has it.
set -e
if [ "$1" = serve ]; then
  for domain in $(printf %s "${AORTA_DOMAIN:-}" | tr , ' '); do set -- "$@" --domain "$domain"; done
fi
exec aorta "$@"
