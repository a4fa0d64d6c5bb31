#!/bin/sh
# Tell Alerta: an alert, or a heartbeat. Needs curl, wget or uclient-fetch and nothing else.
#
#     option script '/etc/logtrigger/alerta.sh'
#     list env 'ALERTA_URL=https://alerta.example.org/api'
#     list env 'ALERTA_EVENT=login of {user} from {ip}'
#
# Each {name} in a text is replaced by LT_name. What may be set, and what it is otherwise:
#
#     ALERTA_URL            the API; required
#     ALERTA_KEY_FILE       a file with the API key, where the server asks for one
#     ALERTA_SAY            alert, or heartbeat
#     ALERTA_ENVIRONMENT    one that the server knows; Production
#     ALERTA_SEVERITY       warning; "information" is called informational there
#     ALERTA_SERVICE        logtrigger; several with blanks between them
#     ALERTA_CORRELATE      events that replace each other, with blanks between them; none
#     ALERTA_GROUP          Misc
#     ALERTA_RESOURCE       {host}
#     ALERTA_EVENT          {name}
#     ALERTA_VALUE          {count}
#     ALERTA_TEXT           {message}
#     ALERTA_ORIGIN         of a heartbeat; {name}/{host}
#     ALERTA_TIMEOUT        after so many seconds the alert expires or the heartbeat is stale; as the server has it
#
# One that cannot be sent now is not sent later: that takes a "config action" of type alerta.

LC_ALL=C
export LC_ALL
umask 077

host='{host}' event='{name}' count='{count}' message='{message}' origin='{name}/{host}'

fail() {
    printf 'alerta.sh: %s\n' "$1" >&2
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

# Text between double quotes, as JSON has it and the configuration of curl too.
quoted() {
    printf '"'
    printf '%s' "$1" | tr '\001-\037\177' '?' | sed 's/[\"]/\\&/g'
    printf '"'
}

# A member of an object: its name, and a text with fields.
member() {
    fill "$2"
    printf '"%s":' "$1"
    quoted "$filled"
}

# The same with a list of words.
words() {
    printf '"%s":[' "$1"
    comma=
    set -f
    for word in $2; do
        printf '%s' "$comma"
        quoted "$word"
        comma=,
    done
    set +f
    printf ']'
}

timeout() {
    case $ALERTA_TIMEOUT in
    '') ;;
    *[!0-9]* | ??????????*) fail "ALERTA_TIMEOUT is no number of seconds" ;;
    *) printf ',"timeout":%s' "$((${ALERTA_TIMEOUT#"${ALERTA_TIMEOUT%%[1-9]*}"} + 0))" ;;
    esac
}

alert() {
    printf '{'
    fill "${ALERTA_RESOURCE:-$host}"
    member resource "${filled:-unknown}"
    printf ,
    member event "${ALERTA_EVENT:-$event}"
    printf ,
    member value "${ALERTA_VALUE:-$count}"
    printf ,
    member text "${ALERTA_TEXT:-$message}"
    printf ,
    member environment "${ALERTA_ENVIRONMENT:-Production}"
    printf ,
    member severity "$severity"
    printf ,
    member group "${ALERTA_GROUP:-Misc}"
    printf ,
    words service "${ALERTA_SERVICE:-logtrigger}"
    printf ,
    words correlate "$ALERTA_CORRELATE"
    timeout
    printf ',"origin":"logtrigger","type":"logtrigger"}'
}

heartbeat() {
    printf '{'
    member origin "${ALERTA_ORIGIN:-$origin}"
    timeout
    printf ',"attributes":{'
    member environment "${ALERTA_ENVIRONMENT:-Production}"
    printf ,
    member severity "$severity"
    printf ,
    words service "${ALERTA_SERVICE:-logtrigger}"
    printf ,
    member group "${ALERTA_GROUP:-Misc}"
    printf '}}'
}

# Nothing of these stands in a command line, which every user of the machine can read.
post_curl() {
    {
        printf 'url = '
        quoted "$url"
        printf '\nheader = "Content-Type: application/json"\n'
        [ -z "$key" ] || {
            printf 'header = '
            quoted "Authorization: Key $key"
            echo
        }
        printf 'data-binary = '
        quoted "$body"
        echo
    } | {
        curl --silent --show-error --max-time 30 --write-out '\n%{http_code}\n' --config - 2>&1
        echo
    } | sed '/^$/d' | {
        answer=
        while read -r line; do
            last=$line
            case $line in
            2[0-9][0-9]) ;;
            *) answer="$answer $line" ;;
            esac
        done
        case $last in
        2[0-9][0-9]) exit 0 ;;
        esac
        fail "$(printf '%.300s' "$place:$answer")"
    }
}

# wget of BusyBox and uclient-fetch take the body from a file, and a key in the command line only.
post_wget() {
    file=$(mktemp) || fail "no file can be made for what is to be sent"
    trap 'rm -f "$file"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '%s' "$body" >"$file"
    set -- -O - --header 'Content-Type: application/json' --post-file "$file"
    case $("$fetch" --version 2>/dev/null) in
    'GNU Wget'*) set -- "$@" -nv --content-on-error ;; # of the others none says what the server has against it
    *) set -- "$@" -q ;;
    esac
    if [ -n "$key" ]; then set -- "$@" --header "Authorization: Key $key"; fi
    answer=$("$fetch" "$@" "$url" 2>&1) || fail "$(printf '%.300s' "$place: $(printf '%s' "${answer:-it does not take it}" | tr '\001-\037\177' ' ')")"
}

case $ALERTA_URL in
http://?* | https://?*) ;;
*) fail "ALERTA_URL must name the API, such as http://127.0.0.1:8080" ;;
esac
place=${ALERTA_URL#*://}
place=${place%%/*}
place=${ALERTA_URL%%://*}://${place##*@}

key=
if [ -n "$ALERTA_KEY_FILE" ]; then
    read -r key <"$ALERTA_KEY_FILE" || [ -n "$key" ] || fail "ALERTA_KEY_FILE cannot be read"
fi
severity=${ALERTA_SEVERITY:-warning}
case $severity in
information | info) severity=informational ;;
esac
case ${ALERTA_SAY:-alert} in
alert) url=${ALERTA_URL%/}/alert body=$(alert) || exit 1 ;;
heartbeat) url=${ALERTA_URL%/}/heartbeat body=$(heartbeat) || exit 1 ;;
*) fail "ALERTA_SAY must be alert or heartbeat" ;;
esac

if command -v curl >/dev/null; then
    post_curl
    exit
fi
for fetch in uclient-fetch wget; do
    if command -v "$fetch" >/dev/null; then
        post_wget
        exit 0
    fi
done
fail "there is no curl, wget or uclient-fetch"
