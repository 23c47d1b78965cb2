#!/bin/sh
# Makes `.env` beside the compose files, once: passwords at random, readable by you only. `--demo`: with the demo homes,
# whose passwords are published, so only on ports of this machine.
set -eu
umask 077
cd "$(dirname "$0")"

demo=false
case "${1:-}" in
    --demo) demo=true ;;
    "") ;;
    *) echo "usage: make-env.sh [--demo]" >&2; exit 2 ;;
esac
if [ -e .env ]; then
    echo "deploy/compose/.env is there already and stays as it is"
    exit 0
fi

secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

mqtt=$(secret)
cat > .env.new <<END
POSTGRES_PASSWORD=$(secret)
TIMESCALE_PASSWORD=$(secret)
MONGO_PASSWORD=$(secret)
REDIS_PASSWORD=$(secret)
MQTT_PASSWORD=$mqtt
JWT_SECRET=$(secret)
HOMEGUARD_DEMO=$demo
END
if [ $demo = true ]; then
    echo "MQTT_URL=mqtt://homeguard:$mqtt@mosquitto:1883" >> .env.new
else
    echo "# As soon as there is a home: its devices may come over the broker." >> .env.new
    echo "# MQTT_URL=mqtt://homeguard:$mqtt@mosquitto:1883" >> .env.new
fi
mv .env.new .env
echo "made deploy/compose/.env"
