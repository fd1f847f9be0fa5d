# Sourced by benches/run and by the servers' own scripts: what all servers have in common.
#
#   BENCH     directory of everything that the servers write; the caller sets it
#   USERS     accounts u0001 and so on, all with the password $PASSWORD
#   CERTIFICATE  the key that the server's certificate has: p256 (as Angarium makes its own) or rsa2048
USERS=60
PASSWORD=pass
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

make_cert() { # DIR OWNER
    local kind=${CERTIFICATE:-p256} new
    case $kind in
        p256) new='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1' ;;
        rsa2048) new='-newkey rsa:2048' ;;
        *) echo "no such kind of certificate: $kind" >&2; return 1 ;;
    esac
    mkdir -p "$1"
    if [ ! -s "$1/$kind.pem" ]; then
        # shellcheck disable=SC2086
        openssl req -x509 $new -nodes -days 30 -subj /CN=localhost \
            -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
            -keyout "$1/$kind.key" -out "$1/$kind.pem" 2>/dev/null
    fi
    cp "$1/$kind.pem" "$1/cert.pem"
    cp "$1/$kind.key" "$1/key.pem"
    chmod 600 "$1"/*.key "$1/key.pem"
    chown -R "$2" "$1"
}

wait_port() { # PORT
    for _ in $(seq 200); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return 0; fi
        sleep 0.1
    done
    echo "nothing listens on port $1" >&2
    return 1
}

refuse_port() { # PORT
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then
        echo "something listens on port $1 already" >&2
        return 1
    fi
}

# Ends the process whose id is in PIDFILE, if its executable name is NAME, and waits for it.
stop_pidfile() { # PIDFILE NAME
    local pid
    if [ ! -s "$1" ]; then return 0; fi
    pid=$(tr -d ' \n' < "$1")
    if [ -d "/proc/$pid" ] && [ "$(cat "/proc/$pid/comm")" = "$2" ]; then
        kill -TERM "$pid"
        for _ in $(seq 300); do
            if [ ! -d "/proc/$pid" ]; then break; fi
            sleep 0.1
        done
        if [ -d "/proc/$pid" ]; then kill -KILL "$pid"; fi
    fi
    rm -f "$1"
}
