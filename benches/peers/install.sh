#!/bin/bash
# Installs the servers to compare with from Debian 12 packages (root).
# Debian lets only one "imap-server" package be installed at a time, so Dovecot is installed
# normally and the few files of cyrus-imapd and cyrus-pop3d (imapd, idled, pop3d) are
# unpacked over cyrus-common, whose package carries master, lmtpd and the tools.
# The distribution's own services never start: policy-rc.d forbids it while we install.
set -eu
export DEBIAN_FRONTEND=noninteractive
made_policy=
if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    made_policy=1
fi
apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=120 \
    dovecot-imapd dovecot-pop3d dovecot-lmtpd \
    cyrus-common cyrus-admin sasl2-bin libsasl2-modules openssl
if [ -n "$made_policy" ]; then rm -f /usr/sbin/policy-rc.d; fi
debs=$(mktemp -d)
chmod 777 "$debs"
( cd "$debs" && apt-get download cyrus-imapd cyrus-pop3d )
for deb in "$debs"/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar x -C / --no-overwrite-dir ./usr
done
rm -rf "$debs"
ls -l /usr/sbin/dovecot /usr/lib/cyrus/bin/master /usr/lib/cyrus/bin/imapd /usr/lib/cyrus/bin/pop3d
