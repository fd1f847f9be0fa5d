#!/bin/bash
# cyrus.sh start|stop|pid     Debian's Cyrus IMAP below $BENCH/cyrus, apart from any system instance.
#   imap 12143  imaps 12993  pop3 12110  pop3s 12995  lmtp 12024 (no authentication)
set -eu
. "$(dirname "${BASH_SOURCE[0]}")/servers.sh"
C=$BENCH/cyrus

configure() {
    mkdir -p "$C"
    chmod 755 "$C"
    make_cert "$C/cert" cyrus:mail
    for file in imapd.conf cyrus.conf; do
        sed -e "s|@C@|$C|g" "$HERE/$file.in" > "$C/$file"
    done
    if [ ! -s "$C/sasldb2" ]; then
        for user in cyrus $(seq -f 'u%04g' "$USERS"); do
            printf '%s' "$PASSWORD" | /usr/sbin/saslpasswd2 -p -c -f "$C/sasldb2" -u localhost "$user"
        done
        chown cyrus:mail "$C/sasldb2"
        chmod 600 "$C/sasldb2"
    fi
    # Debian keeps these (locks, sockets, the process list) on a tmpfs below /run.
    mkdir -p "$C/run"
    if ! mountpoint -q "$C/run"; then
        mount -t tmpfs -o mode=0755 tmpfs "$C/run" || echo "$C/run stays on disk" >&2
    fi
    mkdir -p "$C/run/proc" "$C/run/lock" "$C/run/socket" "$C/spool" \
        "$C"/config/{backup,db,log,msg,proc,ptclient,quota,sieve,socket,sync,user}
    # Several lmtpd that find no staging directory at the same time fail.
    mkdir -p -m 700 "$C/spool/stage."
    chown cyrus:mail "$C/spool/stage." "$C/run" "$C/run/proc" "$C/run/lock" "$C/run/socket" "$C/spool" "$C/config" "$C"/config/*
}

start() {
    refuse_port 12143
    rm -f "$C/master.pid"
    configure
    ulimit -n "$(ulimit -Hn)"
    TZ=UTC /usr/lib/cyrus/bin/master -C "$C/imapd.conf" -M "$C/cyrus.conf" -p "$C/master.pid" \
        -l 4096 -d -L "$C/master.log"
    wait_port 12143
    if [ ! -e "$C/provisioned" ]; then
        python3 "$HERE/cyrus_provision.py" 12143 "$USERS" "$PASSWORD"
        touch "$C/provisioned"
    fi
}

stop() {
    stop_pidfile "$C/master.pid" master
    if mountpoint -q "$C/run"; then umount "$C/run" || true; fi
}

case ${1:-} in
    start) start ;;
    stop) stop ;;
    pid) tr -d ' ' < "$C/master.pid" ;;
    *) echo "usage: cyrus.sh start|stop|pid" >&2; exit 2 ;;
esac
