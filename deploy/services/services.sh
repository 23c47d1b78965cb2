#!/usr/bin/env bash
# Real servers on this machine: services.sh start|stop|restart|kill|wipe|status|check [NAME...]
# Needs Python 3.11 and nothing else, so that it works before the venv exists.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export PYTHONDONTWRITEBYTECODE=1
exec "${PYTHON:-python3}" -m deploy.services "$@"
