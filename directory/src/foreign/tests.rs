//! Hashes made by Python's hashlib and the C library's crypt(3), which know nothing of ours.

use super::*;

/// All of "correct horse".
const HASHES: &[&str] = &[
    "{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=",
    "{ssha}K0MZxWoMPVRxegoJBeg1/wEGvbpzYWx0MTIzNA==",
    "{SHA256}QQTTb42iwlQ0n4WDZ5Pr4CngyVcGOjTJHC6SAxh7VjE=",
    "{SSHA256}LBWHKVk8AqLFDGjNCFn++x9EnLelCHLkEmBsFi2U3AJzYWx0MTIzNA==",
    "{SHA512}VraY3v7bWkNbY0r+MyC7rz/c2SC2xQOkRvx7endrKY1HnRumqLYXgI6wv1ec6aldZoNHvKtxSQhayTyyeZUZew==",
    "{SSHA512}foa0o5b0ZNtnD4d7mkHNhvOYnvv07lgQLIiqhLd1FEa5XsTVUbPtF47ABIGbnQq2Ah1uFh4t800l1g7N4YIQh3NhbHQxMjM0",
    "{SHA256-CRYPT}$5$saltstring$vc6YOOogU4kWVvwga8e9zTFgKcy4tb5LaPxIiPJzqEC",
    "{SHA512-CRYPT}$6$rounds=5000$saltstring$.r0X7ub5wGR2v4Xz7svCIozfnlorFh19V89t8KC9Umd81uGhFgsyTRNyzQDXDIm17fFcR9z3z7oBNdsyYBbtm/",
    "$6$saltstring$.r0X7ub5wGR2v4Xz7svCIozfnlorFh19V89t8KC9Umd81uGhFgsyTRNyzQDXDIm17fFcR9z3z7oBNdsyYBbtm/",
    "{BLF-CRYPT}$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
    "{CRYPT}$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
    "{PBKDF2}$1$abcdefgh$1000$af7296463577a47bb16ec7ce1e7c94ca39fb1558",
    "$pbkdf2-sha256$1000$c2FsdDEyMzQ$lU4Rq8e1.mzgTYGzPvbaLpmUlTcLN7vQWZ2EfLfzidM",
    "{PBKDF2-SHA512}$pbkdf2-sha512$1000$c2FsdDEyMzQ$RBbyV276OT4aQR8f0hfJNUREAmMz9jp4Y51bh8kQjv3Vy6qj9lFScWRGiMdwKnbpnd8hKansuFKsuhe5PgXkaA",
    "{SCRAM-SHA-256}1000,c2FsdDEyMzQ=,PtKArcqpCvivqzrQ4aEtdQNXDdxAwOTQ6y3StK5s/cU=,/ww7qeCn8d7L1FbUpMzgnL4zCbzxLj9k4X1+EQbsSWE=",
    "{SCRAM-SHA-256}1000:c2FsdDEyMzQ=$PtKArcqpCvivqzrQ4aEtdQNXDdxAwOTQ6y3StK5s/cU=:/ww7qeCn8d7L1FbUpMzgnL4zCbzxLj9k4X1+EQbsSWE=",
    "{PLAIN}correct horse",
];

fn foreign(stored: &str) -> Foreign<'_> {
    match Stored::parse(stored) {
        Stored::Foreign(foreign) => foreign,
        _ => panic!("{stored}"),
    }
}

#[test]
fn right_and_wrong() {
    for stored in HASHES {
        let hash = foreign(stored);
        assert!(Stored::parse(stored).is_usable(), "{stored}");
        assert!(hash.is_of(&Secret::new("correct horse")), "{stored}");
        for wrong in ["", "Correct horse", "correct horse ", "x"] {
            assert!(!hash.is_of(&Secret::new(wrong)), "{stored}");
        }
    }
}

#[test]
fn a_hash_that_is_cut_or_changed_is_nobodys() {
    for stored in HASHES.iter().filter(|stored| !stored.starts_with("{PLAIN}")) {
        for end in 0..stored.len() {
            if let (Some(cut), true) = (stored.get(..end), stored.is_char_boundary(end))
                && let Stored::Foreign(foreign) = Stored::parse(cut)
            {
                assert!(!foreign.is_of(&Secret::new("correct horse")), "{cut}");
            }
        }
    }
}

#[test]
fn what_can_be_used() {
    let check = |stored: &str, expected| assert_eq!(Stored::parse(stored).is_usable(), expected, "{stored}");
    check("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG", true);
    check("{ARGON2ID}$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG", true);
    check("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ", false);
    check("$argon2id$v=19$m=4000000,t=1,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG", false);
    check("$6$saltstring$.r0X7ub5wGR2v4Xz7svCIozfnlorFh19V89t8KC9Umd81uGhFgsyTRNyzQDXDIm17fFcR9z3z7oBNdsyYBbtm", false);
    check("$5$saltstring", false);
    check("", false);
    check("{PLAIN}", false);
    check("{MD5-CRYPT}$1$salt$qJH7.N4xYta3aEG/dfqo/0", false);
    check("{NTLM}8846f7eaee8fb117ad06bdd830b7586c", false);
    check("abJnggxhB/yWI", false);
    check("{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", false);
    // What would take for ever to check.
    check("$6$rounds=999999999$saltstring$x", false);
    check("$2b$31$abcdefghijklmnopqrstuuu7rrT6BtjqbGXVjL1E6cTZmjIvmEvA.", false);
    check("{PBKDF2}$1$salt$4000000000$0000000000000000000000000000000000000000", false);
}

/// What is refused is named by its kind, with what would be taken instead.
#[test]
fn refusals_tell_the_kind_and_no_hash() {
    let check = |stored: &str, expected: &str| {
        let said = Stored::parse(stored).refusal();
        assert!(said.starts_with(expected), "{stored}: {said}");
        assert!(said.contains("those that can: $argon2id$") && said.contains("$6$ {SHA}"), "{said}");
        let hash = stored.rsplit(['$', '}']).next().unwrap_or_default();
        assert!(hash.len() < 6 || !said.contains(hash), "{said}");
    };
    check("$1$salt$qJH7.N4xYta3aEG/dfqo/0", "MD5-crypt hashes ($1$) can't be checked here");
    check("{CRYPT}$1$salt$qJH7.N4xYta3aEG/dfqo/0", "MD5-crypt hashes ($1$)");
    check("$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7", "yescrypt hashes ($y$)");
    check("$gy$j9T$salt$X3DX6M94c7o.9agCG9G317fhZg9SqC", "gost-yescrypt hashes ($gy$)");
    check("$apr1$salt$aaaaaaaaaaaaaaaaaaaaaa", "Apache's MD5-crypt hashes ($apr1$)");
    check("{MD5-CRYPT}$1$salt$qJH7.N4xYta3aEG/dfqo/0", "{MD5-CRYPT} hashes can't be checked here");
    check("{NTLM}8846f7eaee8fb117ad06bdd830b7586c", "{NTLM} hashes");
    check("{my secret password}x", "{...} hashes");
    check("{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "that {SSHA} hash is damaged");
    check("$6$rounds=999999999$saltstring$x", "that hash is damaged, or would take too long");
    check("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ", "that argon2 hash is damaged");
    check("correct horse battery", "that is no password hash of a known kind");
}
