//! Clients' certificates that let nobody in: out of date, of somebody else's making, with odd names, none, or thousands of them
//! (CVE-2009-2408: what stands behind a NUL).

use std::path::Path;
use std::process::{Command, Stdio};

use harness::transcript::Protocol;
use harness::{Authority, Connection, Imap, PASSWORD, await_until};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, SanType, date_time_ymd};

use crate::arena::Arena;
use crate::row::Row;

/// What the server must be told.
pub(crate) const SETTINGS: [&str; 2] = ["tls.client_certificates = \"ask\"", "tls.client_ca = \"clients.pem\""];

pub(crate) static ROWS: &[Row] = &[
    Row::play("imaps: certificates that do not get past the handshake", |arena| {
        let dir = arena.home.path();
        let stranger = Authority::new("Our clients").client(dir, "stranger.pem", joe);
        let expired = arena.authority.client(dir, "expired.pem", |params| {
            joe(params);
            (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 2, 1));
        });
        let early = arena.authority.client(dir, "early.pem", |params| {
            joe(params);
            params.not_before = date_time_ymd(3000, 1, 1);
        });
        let servers = arena.authority.client(dir, "servers.pem", |params| {
            joe(params);
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        });
        for file in [&stranger, &expired, &early, &servers] {
            for _ in 0..5 {
                assert!(connect(arena, file).is_err(), "{}", file.display());
            }
        }
        let good = arena.authority.client(dir, "good.pem", joe);
        assert!(external(arena, &good, 0).starts_with("OK"));
    })
    .seconds(30),
    Row::play("imaps: a certificate that is longer than a handshake may be", |arena| {
        let endless = arena.authority.client(arena.home.path(), "endless.pem", |params| names(params, 5_000));
        let address = arena.server.address(Protocol::Imaps).to_string();
        // Our own client does not even begin with it.
        let mut client = Command::new("openssl");
        client.args(["s_client", "-tls1_2", "-connect", &address, "-cert"]).arg(&endless).stdin(Stdio::null());
        match client.output() {
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stdout);
                assert!(!output.status.success() && !said.contains("* OK"), "{said}");
            }
            Err(problem) => println!("left out: openssl cannot be run ({problem})"),
        }
    }),
    Row::play("imaps: certificates that name nobody, or too many", |arena| {
        let dir = arena.home.path();
        let make = |file: &str, change: fn(&mut CertificateParams)| arena.authority.client(dir, file, change);
        let files = [
            (make("no-name.pem", |_| ()), "NO [CANNOT]"),
            (
                make("common-name.pem", |params| params.distinguished_name.push(DnType::CommonName, "joe")),
                "NO [CANNOT]",
            ),
            (make("nul.pem", |params| address(params, "joe@example.org\0.evil.example")), "NO [AUTHENTICATIONFAILED]"),
            (make("nul-user.pem", |params| address(params, "joe\0@example.org")), "NO [AUTHENTICATIONFAILED]"),
            (make("blank.pem", |params| address(params, "joe@example.org ")), "NO [AUTHENTICATIONFAILED]"),
            (
                make("list.pem", |params| address(params, "joe@example.org,amy@example.org")),
                "NO [AUTHENTICATIONFAILED]",
            ),
            (make("traversal.pem", |params| address(params, "../joe@example.org")), "NO [AUTHENTICATIONFAILED]"),
            (
                make("two.pem", |params| {
                    ["joe@example.org", "amy@example.org"].iter().for_each(|name| address(params, name))
                }),
                "NO [AUTHENTICATIONFAILED]",
            ),
            (make("many.pem", |params| names(params, 1_500)), "NO [AUTHENTICATIONFAILED]"),
        ];
        std::thread::scope(|scope| {
            for (file, expected) in &files {
                scope.spawn(move || {
                    let said = external(arena, file, 2);
                    assert!(said.starts_with(expected), "{}: {said}", file.display());
                });
            }
        });
    })
    .mib(24)
    .seconds(60),
    Row::play("imaps: 200 handshakes with 1,500 names each", |arena| {
        let file = arena.authority.client(arena.home.path(), "crowd.pem", |params| names(params, 1_500));
        let before = arena.open_descriptors();
        for _ in 0..200 {
            drop(connect(arena, &file).unwrap());
        }
        await_until("connections are closed", || arena.open_descriptors() <= before + 8);
    })
    .seconds(60),
];

fn joe(params: &mut CertificateParams) {
    address(params, "joe@example.org");
}

fn address(params: &mut CertificateParams, address: &str) {
    params.subject_alt_names.push(SanType::Rfc822Name(address.try_into().unwrap()));
}

/// So many people of elsewhere, joe and amy in their midst.
fn names(params: &mut CertificateParams, count: usize) {
    for number in 0..count {
        match number {
            700 => joe(params),
            701 => address(params, "amy@example.org"),
            _ => address(params, &format!("user-{number}@elsewhere.example")),
        }
    }
}

fn connect(arena: &Arena, certificate: &Path) -> std::io::Result<Imap> {
    let mut connection: Connection = arena.raw(Protocol::Imaps);
    connection.start_tls_with(harness::with_certificate(certificate, certificate))?;
    // A client hears of a refusal with the first thing that it reads.
    Imap::over(connection)
}

/// What comes of EXTERNAL, tried again so many times; afterwards a password is as good as ever.
fn external(arena: &Arena, certificate: &Path, again: usize) -> String {
    let mut imap = connect(arena, certificate).unwrap();
    let status = imap.command("AUTHENTICATE EXTERNAL =").unwrap().status;
    if status.starts_with("OK") {
        return status;
    }
    for _ in 0..again {
        assert_eq!(imap.command("AUTHENTICATE EXTERNAL am9l").unwrap().status, status, "{}", certificate.display());
    }
    imap.must(&format!("LOGIN joe {PASSWORD}")).expect("a password works as ever");
    status
}
