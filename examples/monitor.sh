#!/bin/sh
# Watches every agent's HEARTBEAT.md, as the ecosystem's scripts do: from cron, with grep, without asking anybody.
#
#   */5 * * * *  /path/to/monitor.sh
#
# More than ERRORS failures are said; a restricted tool that was used stops its agent for good. Lines that a model could
# write are of no use to it here: what it chose stands on `args:` lines with these words broken (`er·ror`).
set -eu

SOULBOUND=${SOULBOUND:-soulbound}
STATE=${SOULBOUND_HOME:-$HOME/.soulbound}
ERRORS=${ERRORS:-5}
# Where to post `{"text": …}`; without it, standard output.
WEBHOOK=${WEBHOOK:-}

say() {
    if [ -n "$WEBHOOK" ]; then
        curl --silent --show-error --fail --max-time 10 --header 'Content-Type: application/json' \
            --data "{\"text\": \"$1\"}" "$WEBHOOK" >/dev/null || echo "$1 (and the webhook did not answer)"
    else
        echo "$1"
    fi
}

for heartbeat in "$STATE"/agents/*/HEARTBEAT.md; do
    [ -f "$heartbeat" ] || continue
    folder=${heartbeat%/HEARTBEAT.md}
    agent=${folder##*/}
    # An agent that was removed keeps its trail, and its last page.
    [ ! -e "$folder/removed" ] || continue

    # grep ends with 1 when it counts none.
    errors=$(grep -c "ERROR" "$heartbeat" || true)
    if [ "$errors" -gt "$ERRORS" ]; then
        say "Agent $agent has $errors errors"
    fi
    if grep -q "Used skill:.*database\|Used skill:.*admin" "$heartbeat"; then
        say "Agent $agent used a restricted tool and is removed"
        "$SOULBOUND" agents remove "$agent"
    fi
done
