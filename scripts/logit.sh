#!/bin/sh
# Write the message to the file for its kind of event.
#
#     option script '/etc/logtrigger/logit.sh'
#
# The rule's name decides. The files lie in /var/log, or in the folder that "list env 'LOGTRIGGER_LOGDIR=...'" names.
# For a rule of your own: add a line to the list below.

umask 077
logdir=${LOGTRIGGER_LOGDIR:-/var/log}

case $LT_name in
DDNS_*) file=ddns.log ;;
DHCP_*) file=dhcp.log ;;
MiniUPNPD) file=miniupnpd.log ;;
Blocked_*) file=blockedIPs.log ;;
*_Login) file=logins.log ;;
*_Wrong* | *_Invalid* | *_Failed*) file=failed_logins.log ;;
Dropbear_*) file=dropbear.log ;;
*)
    echo "logit.sh: no file is known for this rule: add it to the list in logit.sh" >&2
    exit 1
    ;;
esac

mkdir -p "$logdir"

# One line, whatever stands in it; and one at a time, since several of these may run at once.
line=$(printf '%s' "$LT_message" | tr '\001-\037\177' '?')
exec 9>>"$logdir/$file" # or end here, saying why
flock 9 2>/dev/null
printf '%s\n' "$line" >&9
