#!/bin/sh
# Send a mail, through the machine's own sendmail or through msmtp.
#
#     option script '/etc/logtrigger/sendmail.sh'
#     list env 'MAIL_TO=admin@example.org'
#     list env 'MAIL_SUBJECT=login of {user} from {ip}'
#
# Each {name} in the subject is replaced by LT_name. What may be set, and what it is otherwise:
#
#     MAIL_TO         whom it is for; several with blanks between them; required
#     MAIL_FROM       who it comes from; whom sendmail thinks it comes from
#     MAIL_SUBJECT    {name}: {key}
#
# One mail a trigger, and one that cannot be sent now is not sent later: both is otherwise with a "config action" of type mail.

LC_ALL=C
export LC_ALL
umask 077

fail() {
    printf 'sendmail.sh: %s\n' "$1" >&2
    exit 1
}

# $filled: the text with its fields.
fill() {
    rest=$1
    filled=
    while :; do
        case $rest in
        *\{*\}*) ;;
        *) break ;;
        esac
        filled=$filled${rest%%\{*}
        rest=${rest#*\{}
        name=${rest%%\}*}
        case $name in
        '' | [0-9]* | *[!A-Za-z0-9_]*) fail "{$name} is no field" ;;
        esac
        eval "filled=\$filled\$LT_$name" # a name, as has been seen, and not what it holds
        rest=${rest#*\}}
    done
    filled=$filled$rest
}

# For a header: printable ASCII on one line (RFC 5322, 2.2), of a length that no server refuses. Nothing in it can begin another.
header() {
    printf '%s' "$1" | tr '\001-\037\177-\377' '?' | cut -c 1-400
}

# A line of the text: whatever stands in it, it is one paragraph, cut where lines may not be longer (RFC 5322, 2.1.1).
line() {
    printf '%s' "$1" | tr '\001-\037\177' '?' | sed 's/.\{900\}/&\
/g'
    echo
}

message() {
    [ -z "$MAIL_FROM" ] || printf 'From: %s\n' "$MAIL_FROM"
    printf 'To:'
    comma=
    for address; do
        printf '%s %s' "$comma" "$address"
        comma=,
    done
    printf '\nSubject: %s\nDate: %s\n' "$(header "$filled")" "$(date -R)"
    printf 'Auto-Submitted: auto-generated\nMIME-Version: 1.0\n'
    printf 'Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n\n'
    line "$LT_message"
    echo
    line "rule     $LT_name"
    line "key      $LT_key"
    line "count    $LT_count"
    line "source   $LT_source"
    line "id       $LT_id"
}

[ -n "$MAIL_TO" ] || fail "MAIL_TO must say whom it is for"
for address in "$MAIL_FROM" "$MAIL_TO"; do
    case $address in
    -* | *' -'* | *[!A-Za-z0-9.@_+=\ -]*) fail "'$address' is no address" ;;
    esac
done
case $MAIL_FROM in
*' '*) fail "MAIL_FROM must be one address" ;;
esac
subject="{name}: {key}"
fill "${MAIL_SUBJECT:-$subject}"
set -f
# shellcheck disable=SC2086 # one word an address
set -- $MAIL_TO
set +f

for program in sendmail msmtp; do
    if command -v "$program" >/dev/null; then
        if [ -n "$MAIL_FROM" ]; then
            message "$@" | "$program" -i -f "$MAIL_FROM" "$@" && exit 0
        else
            message "$@" | "$program" -i "$@" && exit 0
        fi
        fail "$program did not take the mail"
    fi
done
fail "there is no sendmail or msmtp"
