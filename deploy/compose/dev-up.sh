#!/bin/sh
# The development set in one command, with Docker: dev-up.sh [--demo] [--with-load] [--build]
#   --demo       with the demo homes (asked once, when .env is made)
#   --with-load  200 events a second from the simulated devices of the demo
#   --build      makes the image anew
# HomeGuard makes its schemas and topics itself when it starts.
set -eu
cd "$(dirname "$0")"

demo="" build="" load=""
for word in "$@"; do
    case "$word" in
        --demo) demo=--demo ;;
        --with-load) demo=--demo load=yes ;;
        --build) build=--build ;;
        *) echo "usage: dev-up.sh [--demo] [--with-load] [--build]" >&2; exit 2 ;;
    esac
done
command -v docker > /dev/null || { echo "no docker: without it, \`make services\` starts real servers" >&2; exit 1; }

echo "1/4 passwords"
./make-env.sh $demo
if [ -n "$demo" ] && ! grep -qx HOMEGUARD_DEMO=true .env; then
    echo "deploy/compose/.env says HOMEGUARD_DEMO=false: change it there first" >&2
    exit 1
fi
[ -z "$load" ] || export HOMEGUARD_SIMULATOR_RATE=200
echo "2/4 images"
docker compose -f docker-compose.yml pull --ignore-buildable --quiet
[ -z "$build" ] || docker compose -f docker-compose.yml build
echo "3/4 engines, then HomeGuard, until all are healthy"
docker compose -f docker-compose.yml up -d --wait --wait-timeout 300
echo "4/4 there it is"
docker compose -f docker-compose.yml ps
echo "HomeGuard: http://localhost:8000"
