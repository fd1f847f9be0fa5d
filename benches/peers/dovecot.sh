#!/bin/bash
# dovecot.sh start|stop|pid     Debian's Dovecot below $BENCH/dovecot, apart from any system instance.
#   imap 11143  imaps 11993  pop3 11110  pop3s 11995  lmtp 11024
# Mail format sdbox, mail_fsync as shipped. Tuned as its documentation advises for many connections: login processes
# shared by all connections (high-performance mode), imap processes that serve one connection after another, limits that
# are never reached.
set -eu
. "$(dirname "${BASH_SOURCE[0]}")/servers.sh"
D=$BENCH/dovecot

configure() {
    # Every idling imap process of the one mail user needs an inotify instance; the kernel's default of 128 for a user
    # silences IDLE (Dovecot then looks every 30 seconds).
    if [ "$(sysctl -n fs.inotify.max_user_instances)" -lt 16384 ]; then
        sysctl -q -w fs.inotify.max_user_instances=16384 || echo "inotify instances stay limited" >&2
    fi
    mkdir -p "$D/run" "$D/data"
    chmod 755 "$D"
    chown mail:mail "$D/data"
    make_cert "$D/cert" root:root
    for user in $(seq -f 'u%04g' "$USERS"); do
        echo "$user:{PLAIN}$PASSWORD:8:8::$D/data/$user::"
    done > "$D/passwd"
    chown root:dovecot "$D/passwd"
    chmod 640 "$D/passwd"
    sed -e "s|@D@|$D|g" "$HERE/dovecot.conf.in" > "$D/dovecot.conf"
}

start() {
    refuse_port 11143
    configure
    ulimit -n "$(ulimit -Hn)"
    TZ=UTC /usr/sbin/dovecot -c "$D/dovecot.conf"
    wait_port 11143
}

case ${1:-} in
    start) start ;;
    stop) stop_pidfile "$D/run/master.pid" dovecot ;;
    pid) cat "$D/run/master.pid" ;;
    *) echo "usage: dovecot.sh start|stop|pid" >&2; exit 2 ;;
esac
