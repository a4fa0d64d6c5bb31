#!/bin/sh
# Block the address in LT_ip: nothing it sends is answered any more, on old connections neither.
#
#     option script '/etc/logtrigger/ipblock.sh'
#
# The address is dropped by nft (table inet logtrigger_block, sets blocked4 and blocked6) or, where there is no nft, by iptables
# and ip6tables (chain LOGTRIGGER_BLOCK). Nothing is kept anywhere else, so a restart of the firewall unblocks everybody; so
# does any one of these, and the next address to be blocked starts afresh:
#
#     nft delete table inet logtrigger_block
#     iptables -F LOGTRIGGER_BLOCK; ip6tables -F LOGTRIGGER_BLOCK
#
# To unblock one address:
#
#     nft delete element inet logtrigger_block blocked4 '{ 192.0.2.7 }'
#     iptables -D LOGTRIGGER_BLOCK -s 192.0.2.7 -j DROP
#
# OpenWrt's fw4 leaves tables of others alone when it restarts; it is told to take this one along by a file among its includes.
# (Its predecessor fw3 wants "iptables -F LOGTRIGGER_BLOCK; ip6tables -F LOGTRIGGER_BLOCK" in /etc/firewall.user.)
#
# A rule's own "option ban" needs no script at all: it is a hundred times as fast as one, and what it bans is listed, ends and
# comes back after a flush. Where it has to be this script, the daemon can be asked to ban in its place:
#
#     list env 'LOGTRIGGER_CONTROL=/run/logtrigger/control.sock'
#     list env 'LOGTRIGGER_BANTIME=86400'          (seconds; without it: until "logtrigger unban")
#
# This goes through socat or OpenBSD's nc, if one is installed, else through "logtrigger ban", which takes a tenth of a second
# to start. Where no daemon answers, or its firewall does not work, the address is blocked as above; where the daemon never
# bans it, as it is on its ignore list or a gateway, say, it is not.
#
# Each new block is written to blockedIPs.log, each message that led to one to failed_logins.log, both in /var/log or in the
# folder that "list env 'LOGTRIGGER_LOGDIR=...'" names. Addresses on the ignore list come with LT_ignored=1 and are left alone.

LC_ALL=C
export LC_ALL
umask 077

table=logtrigger_block
chain=LOGTRIGGER_BLOCK
logdir=${LOGTRIGGER_LOGDIR:-/var/log}
fw4_includes=/usr/share/nftables.d

say() {
    printf 'ipblock.sh: %s\n' "$1"
}

fail() {
    say "$1" >&2
    exit 1
}

# Four decimal numbers up to 255, without leading zeros: some programs read those as octal.
is_ipv4() {
    [ "${#1}" -le 15 ] || return 1
    numbers=0
    rest=$1.
    while [ -n "$rest" ]; do
        number=${rest%%.*}
        rest=${rest#*.}
        case $number in
        '' | *[!0-9]* | ????* | 0?*) return 1 ;;
        esac
        [ "$number" -le 255 ] || return 1
        numbers=$((numbers + 1))
    done
    [ "$numbers" -eq 4 ]
}

# Eight groups of up to four hexadecimal digits, one run of them perhaps written "::", the last two perhaps as an IPv4 address.
is_ipv6() {
    [ "${#1}" -le 45 ] || return 1
    hextets=$1
    case $1 in
    *[!0-9A-Fa-f:.]*) return 1 ;;
    *:*.*)
        is_ipv4 "${1##*:}" || return 1
        hextets=${1%:*}:0:0
        ;;
    esac
    case $hextets in
    *.* | *:::* | *::*::* | : | :[!:]* | *[!:]:) return 1 ;;
    esac
    groups=0
    rest=$hextets:
    while [ -n "$rest" ]; do
        group=${rest%%:*}
        rest=${rest#*:}
        case $group in
        '') continue ;; # a side of "::"
        ?????*) return 1 ;;
        esac
        groups=$((groups + 1))
    done
    case $hextets in
    *::*) [ "$groups" -le 7 ] ;;
    *) [ "$groups" -eq 8 ] ;;
    esac
}

# The table with both rules in both chains is there, or is made anew: where a rule is gone, somebody wanted the blocks gone.
# -300 is before connection tracking's own place and before every other filter, established connections or not.
prepare_nft() {
    case $(nft -t list table inet "$table" 2>/dev/null) in
    *@blocked4*@blocked6*@blocked4*@blocked6*) return 0 ;;
    esac
    nft -f - <<EOF
table inet $table
delete table inet $table
table inet $table {
    set blocked4 { type ipv4_addr; }
    set blocked6 { type ipv6_addr; }
    chain input {
        type filter hook input priority -300; policy accept;
        ip saddr @blocked4 counter drop
        ip6 saddr @blocked6 counter drop
    }
    chain forward {
        type filter hook forward priority -300; policy accept;
        ip saddr @blocked4 counter drop
        ip6 saddr @blocked6 counter drop
    }
}
EOF
}

follow_fw4() {
    if command -v fw4 >/dev/null && [ -d "$fw4_includes" ] && [ ! -e "$fw4_includes/ruleset-pre/$table.nft" ]; then
        mkdir -p "$fw4_includes/ruleset-pre" &&
            printf 'table inet %s\ndelete table inet %s\n' "$table" "$table" >"$fw4_includes/ruleset-pre/$table.nft"
    fi
}

block_nft() {
    command -v nft >/dev/null || return 1
    prepare_nft || return 1
    follow_fw4
    if nft "create element inet $table blocked$family { $ip }" 2>/dev/null; then
        new=yes
    else
        nft "add element inet $table blocked$family { $ip }" # no harm where it is there already; else it says why not
    fi
}

# The chain and the jumps into it are there, or are made anew, as above.
prepare_iptables() {
    if "$1" -w -C INPUT -j "$chain" && "$1" -w -C FORWARD -j "$chain"; then
        return 0
    fi 2>/dev/null
    for from in INPUT FORWARD; do
        while "$1" -w -D "$from" -j "$chain"; do :; done
    done 2>/dev/null
    { "$1" -w -N "$chain" 2>/dev/null || "$1" -w -F "$chain"; } &&
        "$1" -w -I INPUT 1 -j "$chain" &&
        "$1" -w -I FORWARD 1 -j "$chain"
}

block_iptables() {
    tool=iptables
    [ "$family" = 4 ] || tool=ip6tables
    command -v "$tool" >/dev/null || return 1
    prepare_iptables "$tool" || return 1
    "$tool" -w -C "$chain" -s "$ip" -j DROP 2>/dev/null && return 0
    "$tool" -w -A "$chain" -s "$ip" -j DROP && new=yes
}

# The daemon that LOGTRIGGER_CONTROL leads to has banned the address.
ask_daemon() {
    [ -S "$LOGTRIGGER_CONTROL" ] || return 1
    case $LOGTRIGGER_BANTIME in
    *[!0-9]*) fail "LOGTRIGGER_BANTIME holds no number of seconds: nothing is blocked" ;;
    esac
    request="{\"version\":1,\"command\":\"ban\",\"network\":\"$ip\",\"seconds\":${LOGTRIGGER_BANTIME:-0}}"
    answer=$(printf '%s\n' "$request" | socat -t 5 - "UNIX-CONNECT:$LOGTRIGGER_CONTROL" 2>/dev/null)
    [ -n "$answer" ] || answer=$(printf '%s\n' "$request" | nc -N -w 5 -U "$LOGTRIGGER_CONTROL" 2>/dev/null)
    if [ -z "$answer" ]; then
        answer=$(logtrigger ban --json --socket "$LOGTRIGGER_CONTROL" "$ip" "${LOGTRIGGER_BANTIME:-0}" 2>&1) &&
            answer="$answer\"end\":\"done\""
    fi
    case $answer in
    *'"end":"done"'*) ;;
    *" is on the ignore list"* | *" of this machine"* | *" is nobody's address"*)
        say "the daemon never bans $ip: not blocked"
        exit 0
        ;;
    *) return 1 ;;
    esac
    case $answer in
    *'"times":1}'* | *'"times":1,'*) new=yes ;;
    esac
}

# Text on one line, without controls.
one_line() {
    printf '%s' "$1" | tr '\001-\037\177' '?'
}

if [ "$LT_ignored" = 1 ]; then
    say "the address is on the ignore list: not blocked"
    exit 0
fi

ip=$LT_ip
case $ip in
::[Ff][Ff][Ff][Ff]:*.*.*.*) ip=${ip##*:} ;;
esac
if is_ipv4 "$ip"; then
    family=4
elif is_ipv6 "$ip"; then
    family=6
else
    fail "LT_ip holds no address: nothing is blocked"
fi
case $ip in
*[!0:]*) ;;
*) fail "$ip is nobody's address: nothing is blocked" ;;
esac
case $ip in
0.*) fail "$ip is nobody's address: nothing is blocked" ;;
127.* | ::1) fail "$ip is this machine itself: nothing is blocked" ;;
esac

# One at a time from here on. The log is the lock, since nobody else may open it; where it cannot be, blocking matters more.
mkdir -p "$logdir" 2>/dev/null
if (: >>"$logdir/blockedIPs.log") 2>/dev/null; then
    exec 9>>"$logdir/blockedIPs.log"
    flock 9 2>/dev/null
else
    exec 9>/dev/null
fi

new=
ask_daemon || block_nft || block_iptables || fail "neither nft nor iptables could block $ip"

if [ -n "$new" ]; then
    say "blocked $ip"
    printf '%s %s %s\n' "$(date '+%Y-%m-%d %H:%M:%S')" "$ip" "$(one_line "$LT_name")" >&9
else
    say "$ip was blocked already"
fi
message=$(one_line "$LT_message")
if ! (printf '%s\n' "${message:-?}" >>"$logdir/failed_logins.log") 2>/dev/null; then
    fail "the address is blocked, but nothing can be written in $logdir"
fi
