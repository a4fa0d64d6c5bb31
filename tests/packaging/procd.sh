#!/bin/sh
# A stand-in for OpenWrt's /etc/rc.common and procd, as far as the init script uses them: sh procd.sh SCRIPT ACTION
#
# What is asked of procd is written to $PROCD/asked. The instance that an init script opens is started as it says, and its
# process kept in $PROCD/pid; "stop" ends it, and waits as long as term_timeout lets it.

initscript=$1
action=$2

asked() { printf '%s\n' "$*" >>"$PROCD/asked"; }

procd_open_instance() { asked open_instance; }

procd_set_param() {
    asked set_param "$@"
    name=$1
    shift
    case $name in
    command)
        {
            printf 'exec'
            for word; do printf " '%s'" "$word"; done
            echo
        } >"$PROCD/command"
        ;;
    esac
}

procd_close_instance() {
    asked close_instance
    running && return # procd leaves alone what has not changed
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin PYTHONPATH="$PYTHONPATH" sh "$PROCD/command" >>"$PROCD/log" 2>&1 </dev/null &
    echo $! >"$PROCD/pid"
}

procd_add_reload_trigger() { asked reload_trigger "$@"; }

running() { [ -e "$PROCD/pid" ] && kill -0 "$(cat "$PROCD/pid")" 2>/dev/null; }

procd_kill() {
    running || return 0
    kill "$(cat "$PROCD/pid")"
    while running; do sleep 0.1; done
    rm "$PROCD/pid"
}

start() {
    start_service "$@"
    service_triggers
}

stop() { procd_kill; }

reload() { reload_service "$@"; }

restart() {
    stop "$@"
    start "$@"
}

# shellcheck source=/dev/null
. "$initscript"

[ "$USE_PROCD" = 1 ] || exit 99
case " start stop reload restart $EXTRA_COMMANDS " in
*" $action "*) $action ;;
*) exit 98 ;;
esac
