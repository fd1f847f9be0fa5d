#!/bin/bash
# angarium.sh start|stop|pid     Angarium from $PROGRAM (target/release/angarium) below $BENCH/angarium.
#   imap 13143  imaps 13993  pop3 13110  pop3s 13995  lmtp 13024
set -eu
. "$(dirname "${BASH_SOURCE[0]}")/servers.sh"
A=$BENCH/angarium
PROGRAM=${PROGRAM:-$HERE/../../target/release/angarium}

configure() {
    mkdir -p "$A"
    make_cert "$A/cert" "$(id -un)"
    cat > "$A/angarium.toml" <<END
# Everything that matters is at its default.
server.domain = "localhost"
imap.listen = ["127.0.0.1:13143"]
imap.listen_tls = ["127.0.0.1:13993"]
pop3.listen = ["127.0.0.1:13110"]
pop3.listen_tls = ["127.0.0.1:13995"]
lmtp.listen = ["127.0.0.1:13024"]
tls.certificate = "$A/cert/cert.pem"
tls.key = "$A/cert/key.pem"
END
}

start() {
    refuse_port 13143
    configure
    ulimit -n "$(ulimit -Hn)"
    "$PROGRAM" --config "$A/angarium.toml" serve >> "$A/server.log" 2>&1 &
    echo $! > "$A/pid"
    wait_port 13143
    if [ ! -e "$A/provisioned" ]; then
        for user in $(seq -f 'u%04g' "$USERS"); do
            echo "$PASSWORD" | "$PROGRAM" --config "$A/angarium.toml" user add "$user" --password-stdin > /dev/null
        done
        touch "$A/provisioned"
    fi
}

case ${1:-} in
    start) start ;;
    stop) stop_pidfile "$A/pid" angarium ;;
    pid) cat "$A/pid" ;;
    *) echo "usage: angarium.sh start|stop|pid" >&2; exit 2 ;;
esac
