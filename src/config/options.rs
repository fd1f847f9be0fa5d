//! Every option of the server: what it means, its unit, its default and why.
//!
//! These texts are the administrator's documentation: `docs/angarium.toml` is printed from them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use pop3d::UidlFormat;
use wire::Network;
use wire::limits;

use super::section::section;
use super::value::{Size, Span, words};

section! {
    /// Who this server is.
    struct Server in "server" {
        /// The name it greets clients with and writes into Received: lines. Unset: the name of the machine.
        hostname: Option<String> = None => r#""mail.example.com""#,
        /// The primary domain: a user name without a domain belongs to it. It is created at the first start and not
        /// changed by this option afterwards. Unset: the name of the machine.
        domain: Option<String> = None => r#""example.com""#,
        /// Users who may manage all mailboxes. "admin" is created at the first start, with a password that is printed
        /// once.
        admins: Vec<String> = vec!["admin".to_owned()],
        /// The user to become once the ports are bound, for a server that is started as root. Commands that root runs become
        /// this user too. Unset: whoever starts it.
        user: Option<String> = None => r#""angarium""#,
        /// Let the server write nowhere but to config_dir, spool and writable (Landlock, Linux 5.19 and
        /// later). Unset: true for a configuration below /etc, else false.
        confine: Option<bool> = None => "true",
        /// Other directories a confined server may write to, for backups.
        writable: Vec<PathBuf> = Vec::new(),
        /// Load balancers: connections from these networks must begin with a PROXY header (version 1 or 2), which says whom
        /// they are for. Read again at SIGHUP.
        proxies: Vec<Network> = Vec::new(),
        /// How long sessions may take to end when the server stops, before they are cut off: enough to finish a delivery.
        #[within("0s", "1h")]
        shutdown_wait: Span = Span(Duration::from_secs(20)),
    }
}

section! {
    /// Where mail is kept, and how safely.
    struct Store in "store" {
        /// The directory of everything but messages: the mailbox list, the directory of users, subscriptions, sockets.
        /// Relative paths begin at the directory of this file. Unset: /var/imap for a configuration below /etc, else
        /// var/imap.
        config_dir: Option<PathBuf> = None => r#""/var/imap""#,
        /// The directory of messages. It must be one file system, because a message for many is stored once and linked.
        /// Unset: /var/spool/imap for a configuration below /etc, else var/spool/imap.
        spool: Option<PathBuf> = None => r#""/var/spool/imap""#,
        /// "safe": a message that was accepted survives a power cut; a change of flags survives a crash of the server at
        /// once and a power cut after a second. "strict": flags are synced too, at the price of a disk write for each
        /// STORE.
        durability: Durability = Durability::Safe,
        /// "delayed": a deleted mailbox is kept under a hidden name for keep_deleted and can be brought back.
        /// "immediate": it is gone.
        delete_mode: Mode = Mode::Delayed,
        /// "delayed": an expunged message is kept, invisible, for keep_deleted and can be brought back with unexpunge.
        /// "immediate": it is gone.
        expunge_mode: Mode = Mode::Delayed,
        /// How long deleted mailboxes and expunged messages are kept: a week, so that what was deleted on a Friday can
        /// still be asked for after the weekend.
        #[within("0s", "36500d")]
        keep_deleted: Span = Span::days(7),
        /// "on": a mailbox that is found damaged is brought in step with its message files in the background, one at a time,
        /// each at most once an hour. Only what can be derived from message files is repaired: nothing is expunged and
        /// nothing removed. "off": it waits for `reconstruct`; only what is needed to open it is done.
        heal: Heal = Heal::On,
    }
}

section! {
    /// Mail clients. Everybody's mailboxes appear in the alternate namespace (folders beside the INBOX, other users below
    /// "Other Users/", shared folders below "Shared Folders/") and "/" separates names; neither can be changed.
    struct Imap in "imap" {
        /// Addresses for IMAP with STARTTLS. The official port is 143; the default needs no privilege and is reached from
        /// this machine only.
        listen: Vec<SocketAddr> = vec![loopback(1143)],
        /// Addresses for IMAP over TLS from the first octet. The official port is 993.
        listen_tls: Vec<SocketAddr> = vec![loopback(1993)],
        /// Connections to the addresses of listen, and as many again to those of listen_tls. Unset: as many as
        /// limits.connections allows.
        #[within("1", "1000000")]
        connections: Option<u32> = None => "2000",
        /// Allow LOGIN over unencrypted connections from other machines. From this machine it is always allowed.
        allow_plaintext: bool = false,
        /// Silence after login until a client is disconnected: 30 minutes, the least RFC 9051 allows.
        #[within("1s", "30d")]
        idle_timeout: Span = Span(limits::IDLE),
    }
}

section! {
    /// Mail clients that fetch mail over POP3. A client logs in as "user", or as "user+folder" for a folder beside the INBOX.
    struct Pop3 in "pop3" {
        /// Addresses for POP3 with STLS. The official port is 110; the default needs no privilege and is reached from this
        /// machine only.
        listen: Vec<SocketAddr> = vec![loopback(1110)],
        /// Addresses for POP3 over TLS from the first octet. The official port is 995.
        listen_tls: Vec<SocketAddr> = vec![loopback(1995)],
        /// Connections to the addresses of listen, and as many again to those of listen_tls. Unset: as many as
        /// limits.connections allows.
        #[within("1", "1000000")]
        connections: Option<u32> = None => "2000",
        /// Allow USER and AUTH over unencrypted connections from other machines. From this machine it is always allowed.
        allow_plaintext: bool = false,
        /// Silence until a client is disconnected, without deleting anything: never less than 10 minutes, which RFC 1939
        /// demands.
        #[within("10m", "30d")]
        idle_timeout: Span = Span(Duration::from_secs(10 * 60)),
        /// How UIDL names messages: "cyrus" (UIDVALIDITY.UID), "uidonly" (Cyrus before 2.1.4), "dovecot", "courier", "uw", or
        /// a form of its own such as "%08Xu%08Xv" (%u: UID, %v: UIDVALIDITY, written as in Dovecot's pop3_uidl_format).
        /// Choose the form of the server that mail comes from, and do not change it afterwards: clients would fetch
        /// everything again.
        uidl_format: UidlFormat = UidlFormat::default(),
        /// One POP3 session at a time for each mailbox, as RFC 1939 wants it. false: as many as come.
        lock: bool = true,
        /// Let rights count for the owner of a mailbox too: "r" to log in, "t" and "e" to delete, "s" for \Seen
        /// (popuseacl in Cyrus).
        use_acl: bool = false,
        /// Messages that were fetched become \Seen, when the session ends. Off, as in Cyrus: a program that collects mail
        /// would make everything look read.
        mark_seen: bool = false,
        /// What becomes of messages that a client deletes: "expunge" removes them, "flag" only makes them \Deleted, and
        /// POP3 clients see no message that is.
        deletion: Deletion = Deletion::Expunge,
        /// Least time between two logins of a user; a client that comes earlier is told so. 0s: none.
        #[within("0s", "30d")]
        login_delay: Span = Span(Duration::ZERO),
        /// After how many days this site removes mail (with ipurge or the like), for clients that leave mail on the server.
        /// This option tells them, it removes nothing. Unset: never.
        #[within("0", "36500")]
        expire_days: Option<u32> = None => "60",
        /// Refuse messages with UTF-8 in their header to clients that do not say UTF8 (RFC 6856). false: they get them as they
        /// are.
        refuse_utf8: bool = false,
    }
}

section! {
    /// How mail comes in: Postfix (or another MTA) delivers over LMTP.
    struct Lmtp in "lmtp" {
        /// Addresses for LMTP over TCP. Who may deliver is a matter of trusted_networks.
        listen: Vec<SocketAddr> = vec![loopback(2424)],
        /// A Unix socket for LMTP. Unset: socket/lmtp below config_dir. Who can reach the directory may deliver.
        socket: Option<PathBuf> = None => r#""/var/imap/socket/lmtp""#,
        /// Connections, over TCP and through the socket together. Unset: as many as limits.connections allows.
        #[within("1", "1000000")]
        connections: Option<u32> = None => "200",
        /// Networks whose hosts may deliver over TCP. Hosts outside of them are refused, unless there are deliverers: whoever
        /// may deliver may write any mail to any user.
        trusted_networks: Vec<Network> = lmtpd::Settings::default().trusted,
        /// Users who may deliver from anywhere else too, once they have logged in (AUTH, over TLS): an account for each mail
        /// server. Administrators too only if they are named. None: nobody.
        deliverers: Vec<String> = Vec::new(),
        /// Let clients log in (AUTH), over TLS, from this machine and on the socket. Who has logged in posts with the rights
        /// of that user, to shared folders for example, and an administrator with those of whom it names.
        auth: bool = true,
        /// What a full mailbox answers: true, 552, so the sender learns of it at once; false, 452, so the MTA tries again
        /// for days.
        over_quota_permanent: bool = true,
        /// Count the message itself against the quota. false: what arrives while usage is below the limit is taken
        /// whatever its size, so usage may exceed the limit by one message.
        strict_quota: bool = false,
        /// Messages with a CR or an LF that is not part of a CRLF: "refuse" them, because servers that disagree on where a
        /// line ends can be made to disagree on where a message ends (SMTP smuggling), or "repair" them.
        bare_line_ends: BareLineEnds = BareLineEnds::Refuse,
        /// Store a message once per mailbox, however often it is delivered within three days: an MTA that lost our
        /// answer sends it again.
        suppress_duplicates: bool = true,
        /// Find folders of "user+folder@" regardless of case when there is none of that very name.
        fuzzy_folders: bool = false,
        /// The local part before "+shared/folder" that stands for no user. Empty: "+shared/folder@".
        postuser: String = String::new(),
    }
}

section! {
    /// Quotas.
    struct Quota in "quota" {
        /// Percent of its quota above which a mailbox's owner is warned when it is selected.
        #[within("0", "100")]
        warn_percent: u32 = 90,
        /// The warning comes only while no more than so many megabytes are free: a tenth of a large quota is a lot of room.
        /// For quotas that are smaller than that, and with 0, the percentage alone decides.
        #[within("0", "1048576")]
        warn_free_mib: u32 = 0,
    }
}

section! {
    /// How users prove who they are, beside passwords, SCRAM-SHA-256 and certificates (client_certificates in [tls]).
    struct Login in "login" {
        /// Offer SCRAM-SHA-1 too, for clients that know no better. Users can use it once they have logged in with their
        /// password, or got a new one.
        scram_sha1: bool = false,
        /// How often a client repeats its hash in SCRAM. Users whose password was set with another number
        /// keep that until they log in with their password; until then it tells them from users who do not exist.
        #[within("4096", "10000000")]
        scram_rounds: u32 = 100_000,
        /// Let anybody in without a name (SASL ANONYMOUS), over IMAP only: for reading what "anyone" or "anonymous" may read.
        anonymous: bool = false,
    }
}

section! {
    /// Encryption. Read again at SIGHUP, but for client_name.
    struct Tls in "tls" {
        /// The certificate, with its chain, in PEM. Unset: tls/cert.pem below config_dir; if that does not exist, a
        /// self-signed one is made.
        certificate: Option<PathBuf> = None => r#""/etc/ssl/mail.pem""#,
        /// Its private key in PEM, readable by the server only. Unset: tls/key.pem below config_dir.
        key: Option<PathBuf> = None => r#""/etc/ssl/private/mail.pem""#,
        /// Certificates for clients that ask for other names (SNI); each with its key in the same file, or in one beside
        /// it with the extension "key". Beside any certificate, a file with the extension "ocsp" is an OCSP response that
        /// is stapled.
        others: Vec<PathBuf> = Vec::new(),
        /// The oldest version spoken: "1.2" or "1.3".
        min_version: TlsVersion = TlsVersion::Tls12,
        /// What clients are asked for: "off": nothing. "ask": a certificate, with which they can log in without a password
        /// (SASL EXTERNAL); one that is out of date, or from somebody else than client_ca, is refused. "require": nobody
        /// speaks TLS here without one.
        client_certificates: ClientCertificates = ClientCertificates::Off,
        /// Certificates of those who sign clients' certificates, in PEM.
        client_ca: Option<PathBuf> = None => r#""/etc/ssl/clients.pem""#,
        /// Lists of the clients' certificates that they have revoked, in PEM; if there is a file, there must be a list of
        /// each of them in it. Unset: none is revoked.
        client_crl: Option<PathBuf> = None => r#""/etc/ssl/clients-revoked.pem""#,
        /// What in a client's certificate says which user it is: "email": the user with that mail address (rfc822Name);
        /// "common-name" or "user-id": the subject's CN or UID is the user ID. A certificate that names several users lets
        /// nobody in.
        client_name: ClientName = ClientName::Email,
    }
}

section! {
    /// Logins with tokens of an authorization server, OAUTHBEARER (RFC 7628) and XOAUTH2: offered when jwks or introspection
    /// is set (docs/security.md). Read again at SIGHUP.
    struct OAuth in "oauth" {
        /// The authorization server, as its tokens name it (iss). Needed with jwks.
        issuer: Option<String> = None => r#""https://login.example.com""#,
        /// Whom tokens must be for (aud), one of these. Needed with jwks: else a token for any other service would open the
        /// mailbox.
        audience: Vec<String> = Vec::new(),
        /// What tokens must allow (scope), all of these.
        scope: Vec<String> = Vec::new(),
        /// The public keys that signed tokens are checked with: a file, or an address that begins with https:// (http:// on
        /// this machine only).
        jwks: Option<String> = None => r#""https://login.example.com/keys""#,
        /// Where to ask about tokens that are not signed, or about all of them if jwks is unset (RFC 7662).
        introspection: Option<String> = None => r#""https://login.example.com/introspect""#,
        /// Who asks there.
        client_id: Option<String> = None => r#""mail""#,
        /// The file with the password to ask with, readable by the server only.
        client_secret: Option<PathBuf> = None => r#""/etc/angarium/oauth.secret""#,
        /// What says whose a token is: the user's address if there is an @ in it, else the user ID. An address must be
        /// the user's own, an alias does not do. email is an address, never a user ID; it counts as verified unless
        /// email_verified says otherwise.
        user_claim: String = "email".to_owned(),
        /// Certificates of the authorities (PEM) that those servers' must be signed by. Unset: those that the system trusts.
        authorities: Option<PathBuf> = None => r#""/etc/ssl/internal.pem""#,
        /// Where clients learn how to get a token; they are told when theirs is no good. Unset: where OpenID Connect
        /// has it, below the issuer.
        openid_configuration: Option<String> = None => r#""https://login.example.com/.well-known/openid-configuration""#,
    }
}

section! {
    /// Who keeps domains, users and aliases. docs/ldap.md tells how an LDAP server is set up for it.
    struct Directory in "directory" {
        /// "embedded": this server does, in config_dir. "ldap": an LDAP server does; url and base say where. Users do not
        /// move by themselves when this is changed.
        backend: Backend = Backend::Embedded,
        /// The LDAP server: ldaps:// with the host's name, ldap:// with starttls or on this machine, or ldapi:// with the path
        /// of a Unix socket, in which %2F stands for each /.
        url: Option<String> = None => r#""ldaps://ldap.example.com""#,
        /// Encrypt the connection before anything is said over it, for ldap://.
        starttls: bool = false,
        /// Certificates of the authorities (PEM) that the LDAP server's must be signed by. Unset: those that the system trusts.
        authorities: Option<PathBuf> = None => r#""/etc/ssl/internal.pem""#,
        /// The entry below which everything is kept.
        base: Option<String> = None => r#""dc=example,dc=com""#,
        /// Who we are to the LDAP server. Unset: over a Unix socket whoever the server runs as (EXTERNAL), else nobody.
        bind_dn: Option<String> = None => r#""cn=angarium,dc=example,dc=com""#,
        /// The file with the password of bind_dn, readable by the server only.
        bind_password_file: Option<PathBuf> = None => r#""/etc/angarium/ldap.secret""#,
        /// How users' passwords are checked. "hash": userPassword is read and compared here, and who was let in lately is let in
        /// while the LDAP server is away. "bind": the LDAP server is asked each time, and its password policy holds.
        check: PasswordCheck = PasswordCheck::Hash,
        /// Connections to the LDAP server; each carries many questions at a time.
        #[within("1", "64")]
        connections: u32 = 4,
        /// Longest wait for a connection, TLS included.
        #[within("10ms", "5m")]
        connect_timeout: Span = Span(Duration::from_secs(5)),
        /// Longest wait for an answer.
        #[within("10ms", "5m")]
        timeout: Span = Span(Duration::from_secs(10)),
        /// Longest time for which an LDAP server that did not answer is not asked again. It begins with a tenth of a second, and
        /// doubles.
        #[within("10ms", "1h")]
        retry: Span = Span(Duration::from_secs(10)),
        /// Answers of the LDAP server that are remembered.
        #[within("0", "10000000")]
        cache_entries: u32 = 10_000,
        /// How long an answer is good without asking again: what other programs change in the LDAP directory is seen after that.
        #[within("0s", "1h")]
        cache_fresh: Span = Span(Duration::from_secs(10)),
        /// How long an answer serves while the LDAP server is away: who was let in lately still is, mail for known users is
        /// delivered. All else waits.
        #[within("0s", "30d")]
        cache_stale: Span = Span(Duration::from_secs(10 * 60)),
    }
}

section! {
    /// What a client may cost. The defaults suit a server for some thousand users; the reasons are in wire/src/limits.rs.
    struct Limits in "limits" {
        /// Largest message.
        #[within("1 KiB", "1 GiB")]
        message_size: Size = Size(limits::MESSAGE_SIZE),
        /// Mailboxes of one user. Administrators may make more for him.
        #[within("1", "10000000")]
        mailboxes_per_user: u32 = mailstore::MAX_MAILBOXES_PER_USER as u32,
        /// Memory for what all connections together hold: commands and messages on their way in, replies that are not taken.
        /// When half of it is used buffers become small; when all of it is, large commands and new connections are refused
        /// for a while. Unset: a quarter of the memory that the machine, or the control group, has.
        #[within("1 MiB", "1048576 GiB")]
        memory: Option<Size> = None => r#""1 GiB""#,
        /// The same for one connection: a command that needs more is refused.
        #[within("512 KiB", "1024 GiB")]
        connection_memory: Size = Size(limits::CONNECTION_MEMORY),
        /// Connections in all. Unset: half the descriptors the system allows this process.
        #[within("1", "1000000")]
        connections: Option<u32> = None => "5000",
        /// Connections from one address (one /64 for IPv6). This machine is exempt.
        #[within("1", "1000000")]
        connections_per_address: u32 = limits::CONNECTIONS_PER_ADDRESS,
        /// New connections from one address within a minute. This machine is exempt. 0: no such limit.
        #[within("0", "1000000")]
        connections_per_minute: u32 = limits::CONNECTIONS_PER_MINUTE,
        /// Sessions of one user over IMAP and POP3 together, wherever they come from. Administrators are exempt. 0: no such
        /// limit.
        #[within("0", "1000000")]
        connections_per_user: u32 = limits::CONNECTIONS_PER_USER,
        /// Time from connecting to being logged in.
        #[within("1s", "1d")]
        login_timeout: Span = Span(limits::PRE_AUTH),
        /// Failed logins from one address (one /64 for IPv6) until no more passwords from there are looked at; ten times as
        /// many from its network (/24, /48). Each guess counts once, this machine never. 0: no such limit.
        #[within("0", "1000000")]
        failed_logins: u32 = wire::attempts::Policy::default().address,
        /// The time in which half of an address' failed logins are forgotten.
        #[within("1s", "365d")]
        failed_logins_half_life: Span = Span(wire::attempts::Policy::default().half_life),
        /// Networks whose failed logins do not count: a webmail, a proxy.
        failed_logins_exempt: Vec<Network> = Vec::new(),
        /// Entries that the history of logins keeps for each user (angarium user logins). Logins of a day that differ in
        /// nothing but their time are one entry. 0: no history.
        #[within("0", "2000")]
        login_history: u32 = 100,
        /// Time for a TLS handshake.
        #[within("1s", "1h")]
        tls_handshake: Span = Span(limits::TLS_HANDSHAKE),
        /// Silence inside a message until the connection is closed.
        #[within("1s", "1d")]
        body_stalled: Span = Span(limits::BODY_STALLED),
        /// How long a client may leave its answers unread.
        #[within("1s", "1d")]
        output_stalled: Span = Span(limits::OUTPUT_STALLED),
    }
}

section! {
    /// What speed may cost. docs/performance.md tells what each of these buys.
    struct Performance in "performance" {
        /// Threads that serve connections. Unset: one for each processor.
        #[within("1", "1024")]
        threads: Option<u32> = None => "4",
        /// Threads for what waits for the disk, made when needed: so many deliveries can be synced at a time.
        #[within("1", "10000")]
        blocking_threads: u32 = 512,
        /// When changes of flags reach the disk at the latest, with durability "safe". Longer: fewer writes where many
        /// mailboxes change all the time; more changes of flags that a power cut takes back.
        #[within("1ms", "1h")]
        sync_window: Span = Span(Duration::from_millis(500)),
        /// Mailboxes that stay open when nobody uses them, so that the next delivery or SELECT finds them in memory. Each
        /// holds three file descriptors and some kilobytes.
        #[within("0", "1000000")]
        open_mailboxes: u32 = 1000,
        /// Memory for header texts that were searched, of all mailboxes together: a second SEARCH of the same mailbox reads
        /// no cache file.
        #[within("0 B", "1024 GiB")]
        search_memory: Size = Size(64 << 20),
    }
}

section! {
    /// Looking for what the disk has lost before somebody misses it: every message file is compared with its hash, and what
    /// can be derived is repaired (docs/recovery.md). `angarium scrub` does the same at once, `angarium status` tells how far
    /// it is.
    struct Scrub in "scrub" {
        /// A pass over everything begins so long after the last one began. "0s": never by itself.
        #[within("0s", "36500d")]
        every: Span = Span::days(7),
        /// How much is read in a second. The default reads 2.4 TB in a week and leaves a disk 95 % of its time for others.
        /// "0 B": as fast as it gets.
        #[within("0 B", "1024 GiB")]
        bytes_per_second: Size = Size(4 << 20),
    }
}

section! {
    /// Figures for a monitoring system (docs/metrics.md). `angarium metrics` prints the same.
    struct Metrics in "metrics" {
        /// Addresses at which /metrics is served over HTTP, in the text format of Prometheus. None by default. Nobody is
        /// asked who he is, and the figures tell how busy the server is: an address of this machine, 127.0.0.1:9464 for
        /// example, or one that only the monitoring system reaches.
        listen: Vec<SocketAddr> = Vec::new(),
    }
}

section! {
    /// The directory over HTTP for programs and pages: docs/api.md. Who asks logs in with a password or sends a token
    /// (angarium api-token).
    struct Http in "http" {
        /// Addresses for HTTP in clear text. None by default. Passwords and tokens are taken from this machine only: for
        /// 127.0.0.1:8080, or a proxy on this machine that speaks TLS to the world.
        listen: Vec<SocketAddr> = Vec::new(),
        /// Addresses for HTTP over TLS, with the certificates of [tls]. None by default; 127.0.0.1:8443 for example.
        listen_tls: Vec<SocketAddr> = Vec::new(),
        /// Connections to the addresses of listen, and as many again to those of listen_tls.
        #[within("1", "1000000")]
        connections: u32 = 256,
    }
}

section! {
    /// The log, on standard error: systemd and container runtimes collect it there.
    struct Log in "log" {
        /// "text" for people, "json" for machines.
        format: LogFormat = LogFormat::Text,
        /// "error", "warn", "info", "debug" or "trace", or a filter by part such as "info,imapd=debug". Read again at
        /// SIGHUP.
        level: String = "info".to_owned(),
    }
}

words! {
    /// When changes are synced to disk.
    Durability: "\"safe\" or \"strict\"", "\"safe\"" {
        /// Messages before they are acknowledged, flags soon after.
        Safe = "safe",
        /// Both before they are acknowledged.
        Strict = "strict",
    }
}

words! {
    /// Who keeps the directory.
    Backend: "\"embedded\" or \"ldap\"", "\"embedded\"" {
        /// This server.
        Embedded = "embedded",
        /// An LDAP server.
        Ldap = "ldap",
    }
}

words! {
    /// How passwords of users in an LDAP directory are checked.
    PasswordCheck: "\"hash\" or \"bind\"", "\"hash\"" {
        /// Against the hash.
        Hash = "hash",
        /// By the LDAP server.
        Bind = "bind",
    }
}

words! {
    /// Whether damaged mailboxes are repaired in the background.
    Heal: "\"on\" or \"off\"", "\"on\"" {
        /// They are.
        On = "on",
        /// They wait for an administrator.
        Off = "off",
    }
}

words! {
    /// Whether what is deleted can be brought back.
    Mode: "\"delayed\" or \"immediate\"", "\"delayed\"" {
        /// For a while.
        Delayed = "delayed",
        /// No.
        Immediate = "immediate",
    }
}

words! {
    /// The oldest version of TLS.
    TlsVersion: "\"1.2\" or \"1.3\"", "\"1.2\"" {
        /// TLS 1.2.
        Tls12 = "1.2",
        /// TLS 1.3.
        Tls13 = "1.3",
    }
}

words! {
    /// Whether clients are asked for certificates.
    ClientCertificates: "\"off\", \"ask\" or \"require\"", "\"ask\"" {
        /// No.
        Off = "off",
        /// Those who have one.
        Ask = "ask",
        /// Everybody.
        Require = "require",
    }
}

words! {
    /// What in a client's certificate names a user.
    ClientName: "\"email\", \"common-name\" or \"user-id\"", "\"email\"" {
        /// A mail address.
        Email = "email",
        /// The subject's CN.
        CommonName = "common-name",
        /// The subject's UID.
        UserId = "user-id",
    }
}

words! {
    /// What to do with a CR or LF on its own.
    BareLineEnds: "\"refuse\" or \"repair\"", "\"refuse\"" {
        /// Refuse the message.
        Refuse = "refuse",
        /// Make it a CRLF.
        Repair = "repair",
    }
}

words! {
    /// What becomes of messages that a POP3 client deletes.
    Deletion: "\"expunge\" or \"flag\"", "\"expunge\"" {
        /// They are removed.
        Expunge = "expunge",
        /// They are marked.
        Flag = "flag",
    }
}

words! {
    /// The form of the log's lines.
    LogFormat: "\"text\" or \"json\"", "\"text\"" {
        /// `key=value`.
        Text = "text",
        /// One object a line.
        Json = "json",
    }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
