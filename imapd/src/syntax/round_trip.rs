//! Every command there and back: examples of the RFCs, random values, random and hostile bytes.

use std::num::NonZeroU32;

use jiff::civil::Date;
use proptest::{collection::vec, option, prelude::*};

use super::*;
use crate::types::*;

/// One command of each kind in the form in which we print it, and in another that means the same.
#[rustfmt::skip]
const COMMANDS: &[(&str, &str)] = &[
    ("a CAPABILITY", "a capability"),
    ("a NOOP", "a NOOP   "),
    ("a LOGOUT", "a Logout"),
    ("a ID NIL", "a id nil"),
    ("a ID (\"name\" \"x\" \"os\" NIL)", "a ID ({4}\r\nname \"x\" \"os\" nil)"),
    ("a STARTTLS", "a StartTLS"),
    ("a AUTHENTICATE PLAIN", "a authenticate PLAIN"),
    ("a AUTHENTICATE PLAIN AGEAYg==", "a AUTHENTICATE PLAIN AGEAYg=="),
    ("a LOGIN SMITH SESAME", "a LOGIN {5}\r\nSMITH {6+}\r\nSESAME"),
    ("a LOGIN \"a b\" \"\"", "a LOGIN \"a b\" {0}\r\n"),
    ("a ENABLE CONDSTORE IMAP4rev2", "a enable CONDSTORE IMAP4rev2"),
    ("a SELECT INBOX", "a select \"inBox\""),
    ("a EXAMINE blurdybloop (CONDSTORE)", "a examine blurdybloop (condstore)"),
    ("a CREATE owatagusiam/", "a CREATE \"owatagusiam/\""),
    ("a CREATE x (USE (\\Drafts \\Sent))", "a create x (use (\\drafts \\SENT))"),
    ("a DELETE x", "a delete x"),
    ("a RENAME x y", "a RENAME {1}\r\nx \"y\""),
    ("a SUBSCRIBE Entw&APw-rfe", "a subscribe Entw&APw-rfe"),
    ("a UNSUBSCRIBE x", "a unsubscribe x"),
    ("a LIST \"\" \"%\" RETURN (STATUS (MESSAGES UNSEEN))", "a list {0}\r\n % return (status (messages unseen))"),
    ("a LSUB \"\" \"*\"", "a lsub \"\" *"),
    ("a NAMESPACE", "a namespace"),
    ("a STATUS x (UIDNEXT MESSAGES)", "a status x (uidnext messages)"),
    ("a IDLE", "a idle"),
    ("a CHECK", "a check"),
    ("a CLOSE", "a close"),
    ("a UNSELECT", "a unselect"),
    ("a EXPUNGE", "a expunge"),
    ("a UID EXPUNGE 3000:3002", "a uid expunge 3000:3002"),
    ("a UID SEARCH RETURN (ALL) (FLAGGED SINCE 1-Feb-1994)", "a uid search return () flagged since 01-Feb-1994"),
    ("a SEARCH (UNSEEN $)", "a SEARCH UNSEEN $"),
    ("a FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])", "a fetch 2:4 (flags body[header.fields (DATE FROM)])"),
    ("a UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345 VANISHED)", "a UID FETCH 1:* FLAGS (VANISHED CHANGEDSINCE 12345)"),
    ("a STORE 2:4 +FLAGS (\\Deleted)", "a store 2:4 +flags \\deleted"),
    ("a UID STORE $ -FLAGS.SILENT (a)", "a uid store $ -flags.silent a"),
    ("a COPY 2:4 MEETING", "a copy 2:4 MEETING"),
    ("a UID COPY $ x", "a uid copy $ x"),
    ("a MOVE 42:69 foo", "a move 42:69 foo"),
    ("a UID MOVE 42:69 foo", "a uid move 42:69 foo"),
    ("a GETQUOTA \"!partition/sda4\"", "a getquota \"!partition/sda4\""),
    ("a GETQUOTA \"\"", "a GETQUOTA \"\""),
    ("a GETQUOTAROOT INBOX", "a getquotaroot inbox"),
    ("a SETQUOTA #user/alice (STORAGE 510 MESSAGE 0)", "a setquota \"#user/alice\" (STORAGE 510 MESSAGE 0)"),
    ("a GETACL INBOX", "a getacl INBOX"),
    ("a SETACL INBOX Chris +lrswipkxtecda", "a setacl INBOX Chris \"+lrswipkxtecda\""),
    ("a SETACL INBOX -anyone -l", "a SETACL INBOX -anyone -l"),
    ("a SETACL x anyone \"\"", "a SETACL x anyone \"\""),
    ("a DELETEACL INBOX Fred", "a deleteacl INBOX Fred"),
    ("a LISTRIGHTS ~/Mail/saved smith", "a listrights ~/Mail/saved smith"),
    ("a MYRIGHTS INBOX", "a myrights INBOX"),
];

#[test]
fn commands() {
    for (printed, other) in COMMANDS {
        for input in [printed, other] {
            let request = parse(input.as_bytes(), Encoding::ModifiedUtf7).unwrap_or_else(|e| panic!("{input}: {e}"));
            // Literals are only printed where nothing else will do.
            let expected = printed.replace("\"!partition/sda4\"", "!partition/sda4");
            assert_eq!(print(&request, Encoding::ModifiedUtf7), expected.as_bytes(), "{input}");
        }
    }
}

#[test]
fn no_prefix_of_a_command_panics() {
    for (printed, other) in COMMANDS {
        for input in [printed, other] {
            for end in 0..input.len() {
                let _ = parse(&input.as_bytes()[..end], Encoding::ModifiedUtf7);
            }
        }
    }
}

/// What the client is told, and under which tag.
#[test]
fn errors_name_the_place() {
    let check = |input: &[u8], tag: Option<&str>, text: &str| {
        let error = parse(input, Encoding::ModifiedUtf7).expect_err(&input.escape_ascii().to_string());
        assert_eq!(
            (error.tag.as_ref().map(Tag::as_str), error.to_string().as_str()),
            (tag, text),
            "{}",
            input.escape_ascii()
        );
    };
    check(b"", None, "Expected a tag at octet 0");
    check(b" NOOP", None, "Expected a tag at octet 0");
    check(b"* NOOP", None, "Expected a tag at octet 0");
    check(b"+ NOOP", None, "Expected a tag at octet 0");
    check(b"a", Some("a"), "Expected a space at octet 1");
    check(b"a ", Some("a"), "Expected a command at octet 2");
    check(b"a FOO bar", Some("a"), "Expected a command at octet 2");
    check(b"a NOOP x", Some("a"), "Expected the end of the command at octet 6");
    check(b"a NOOPx", Some("a"), "Expected a command at octet 2");
    check(b"a LOGIN x", Some("a"), "Expected a space at octet 9");
    check(b"a LOGIN (", Some("a"), "Expected a user name at octet 8");
    check(b"a LOGIN x \"a\\xb\"", Some("a"), "Expected \" or \\ after \\ at octet 13");
    check(b"a LOGIN x\xff y", Some("a"), "Expected a space at octet 9");
    check(b"a LOGIN x \"\xff\"", Some("a"), "Quoted string is not UTF-8 at octet 10");
    check(b"a SELECT &AC8-", Some("a"), "Mailbox name is not in canonical modified UTF-7 at octet 9");
    check(b"a UID FOO 1", Some("a"), "Expected COPY, EXPUNGE, FETCH, MOVE, SEARCH or STORE at octet 6");
    check(b"a FETCH 0 FLAGS", Some("a"), "Expected a sequence set at octet 8");
    check(b"a FETCH 4294967296 FLAGS", Some("a"), "Number is above 4294967295 at octet 8");
    check(b"a FETCH 1 BODY[1.FOO]", Some("a"), "Expected a section at octet 17");
    check(b"a STORE 1 +FLAGS (\\Foo)", Some("a"), "There is no such system flag at octet 18");
    check(b"a SEARCH BEFORE 31-Feb-2026", Some("a"), "There is no such date at octet 16");
    check(b"a SEARCH \x00", Some("a"), "Expected a search criterion at octet 9");
    check(b"a SETACL x y LR", Some("a"), "Rights are lower-case letters and digits at octet 13");
    check(
        b"a SETACL x \"\" l",
        Some("a"),
        "Identifier is empty, too long, not UTF-8 or holds control characters at octet 11",
    );
}

/// Inputs whose size or depth is the attack. Each must be refused, at once.
#[test]
fn hostile_inputs_are_refused() {
    let check = |input: Vec<u8>| {
        let started = std::time::Instant::now();
        assert!(parse(&input, Encoding::ModifiedUtf7).is_err(), "{}", input[..40.min(input.len())].escape_ascii());
        assert!(started.elapsed().as_secs() < 5, "{}", input[..40.min(input.len())].escape_ascii());
    };
    let many = |head: &str, text: &str, times: usize| format!("{head}{}", text.repeat(times)).into_bytes();
    check(many("a LOGIN ", "(", 1_000_000));
    check(many("a FETCH 1 ", "(", 1_000_000));
    check(many("a LIST ", "(", 1_000_000));
    check(many("a SEARCH ", "(", 1_000_000));
    check(many("a SEARCH ", "OR ", 100_000));
    check(many("a SEARCH ", "NOT ", 100_000));
    check(many("a SEARCH ", "(NOT OR ", 100_000));
    check(many("a SEARCH ALL", " {1}\r\na", 100_000));
    check(many("a FETCH 1", ",1:*", 100_000));
    check(many("a FETCH 1 BODY[1", ".1", 100_000));
    check(many("", "t", 10_000_000));
    check(many("a ", "N", 10_000_000));
    check(many("a LOGIN x \"", "y", 10_000_000));
    check(many("a LOGIN x \"", "\\\\", 1_000_000));
    check(many("a ENABLE x", " x", 100_000));
    check(many("a ID (\"a\" NIL", " \"a\" NIL", 100_000));
    check(many("a LIST \"\" (p", " p", 100_000));
    check(many("a STORE 1 FLAGS a", " a", 100_000));
    check(many("a STORE 1 FLAGS ", "k", 1_000_000));
    check(many("a SETQUOTA x (a 1", " a 1", 100_000));
    check(many("a CREATE x (USE (\\a", " \\a", 100_000));
    check(b"a LOGIN {4294967295}\r\nx".to_vec());
    check(b"a LOGIN {18446744073709551616}\r\nx".to_vec());
    check(b"a LOGIN ~{1}\r\nx y".to_vec());
    for octet in [0, b'\r', b'\n', 0x7f, 0x80, 0xff] {
        check([b"a LOGIN x", &[octet][..], b" y"].concat());
        check([b"a LOGIN \"x", &[octet][..], b"\" y"].concat().into_iter().filter(|&o| o != 0x7f).chain([0]).collect());
    }
}

fn nz() -> impl Strategy<Value = NonZeroU32> {
    prop_oneof![1..20_u32, any::<u32>()].prop_filter_map("not zero", NonZeroU32::new)
}

fn mod_seq() -> impl Strategy<Value = u64> {
    1..=i64::MAX.unsigned_abs()
}

fn atom_text() -> impl Strategy<Value = String> {
    "[!#$&'+,./0-9:;<=>?@A-Z\\[^_`a-z|}~-]{1,12}"
}

fn an_atom() -> impl Strategy<Value = Atom> {
    atom_text().prop_filter_map("an atom", |text| Atom::new(text.as_bytes()))
}

fn an_astring() -> impl Strategy<Value = AString> {
    prop_oneof![
        atom_text().prop_map(String::into_bytes),
        "[ -~]{0,20}".prop_map(String::into_bytes),
        "[^\u{0}]{0,10}".prop_map(String::into_bytes),
        vec(1..=255_u8, 0..20),
    ]
    .prop_filter_map("no NUL", |octets| AString::new(&octets))
}

fn a_mailbox() -> impl Strategy<Value = MailboxArg> {
    prop_oneof!["[ -~]{0,12}", "[^\u{0}]{0,12}", "(?i)inbox(/[a-z]{1,3})?"]
        .prop_filter_map("no NUL", |name| MailboxArg::new(&name))
}

fn a_pattern() -> impl Strategy<Value = ListPattern> {
    prop_oneof!["[a-z%*/]{0,12}", "[^\u{0}]{0,12}"].prop_filter_map("no NUL", |name| ListPattern::new(&name))
}

fn a_set() -> impl Strategy<Value = SequenceSet> {
    let bound = || prop_oneof![nz().prop_map(Bound::Number), Just(Bound::Largest)];
    let range = prop_oneof![
        bound().prop_map(|bound| SequenceRange { first: bound, last: bound }),
        (bound(), bound()).prop_map(|(first, last)| SequenceRange { first, last }),
    ];
    prop_oneof![
        1 => Just(SequenceSet::Saved),
        9 => vec(range, 1..6).prop_map(|items| SequenceSet::Ranges(items.into())),
    ]
}

fn a_number_set() -> impl Strategy<Value = NumberSet> {
    vec((1..1000_u32, 1..1000_u32), 1..5).prop_map(NumberSet::from_ranges)
}

fn numbering() -> impl Strategy<Value = Numbering> {
    prop_oneof![Just(Numbering::Sequence), Just(Numbering::Uid)]
}

fn a_keyword() -> impl Strategy<Value = Keyword> {
    atom_text().prop_filter_map("a keyword", |text| Keyword::new(text.as_bytes()))
}

fn a_flag() -> impl Strategy<Value = Flag> {
    prop_oneof![
        proptest::sample::select(vec![Flag::Answered, Flag::Flagged, Flag::Deleted, Flag::Seen, Flag::Draft]),
        a_keyword().prop_map(Flag::Keyword),
    ]
}

fn flags() -> impl Strategy<Value = Vec<Flag>> {
    vec(a_flag(), 0..6).prop_map(|flags| {
        let mut distinct: Vec<Flag> = Vec::new();
        flags.into_iter().for_each(|flag| {
            if !distinct.contains(&flag) {
                distinct.push(flag)
            }
        });
        distinct
    })
}

fn a_date() -> impl Strategy<Value = Date> {
    (0..=9999_i16, 1..=12_i8, 1..=31_i8).prop_filter_map("a date", |(y, m, d)| Date::new(y, m, d).ok())
}

fn a_date_time() -> impl Strategy<Value = DateTime> {
    (a_date(), 0..24_i8, 0..60_i8, 0..60_i8, -1439..=1439_i32)
        .prop_filter_map("a time", |(date, h, m, s, zone)| DateTime::new(date.at(h, m, s, 0), zone))
}

fn a_part() -> impl Strategy<Value = PartPath> {
    vec(nz(), 0..4).prop_map(Into::into)
}

fn a_partial() -> impl Strategy<Value = Option<Partial>> {
    option::of((0..=i64::MAX.unsigned_abs(), mod_seq()).prop_map(|(offset, length)| Partial { offset, length }))
}

fn a_section() -> impl Strategy<Value = Section> {
    let names = || vec(an_astring(), 1..4).prop_map(Into::into);
    let text = option::of(prop_oneof![
        Just(SectionText::Header),
        names().prop_map(SectionText::HeaderFields),
        names().prop_map(SectionText::HeaderFieldsNot),
        Just(SectionText::Text),
        Just(SectionText::Mime),
    ]);
    (a_part(), text).prop_map(|(part, text)| {
        let text = text.filter(|text| !part.is_empty() || *text != SectionText::Mime);
        Section { part, text }
    })
}

fn an_attribute() -> impl Strategy<Value = FetchAttribute> {
    use FetchAttribute as A;
    prop_oneof![
        proptest::sample::select(vec![
            A::Body,
            A::BodyStructure,
            A::Envelope,
            A::Flags,
            A::InternalDate,
            A::ModSeq,
            A::Rfc822,
            A::Rfc822Header,
            A::Rfc822Size,
            A::Rfc822Text,
            A::Uid,
        ]),
        (a_section(), a_partial(), any::<bool>()).prop_map(|(section, partial, peek)| A::BodySection {
            section,
            partial,
            peek
        }),
        (a_part(), a_partial(), any::<bool>()).prop_map(|(part, partial, peek)| A::Binary { part, partial, peek }),
        a_part().prop_map(A::BinarySize),
    ]
}

fn a_fetch() -> impl Strategy<Value = Fetch> {
    (numbering(), a_set(), vec(an_attribute(), 1..5), option::of(mod_seq()), any::<bool>()).prop_map(
        |(numbering, set, written, changed_since, vanished)| {
            let mut attributes: Vec<FetchAttribute> = Vec::new();
            written.into_iter().for_each(|attribute| {
                if !attributes.contains(&attribute) {
                    attributes.push(attribute)
                }
            });
            let vanished = vanished && changed_since.is_some() && numbering == Numbering::Uid;
            Fetch { numbering, set, attributes, changed_since, vanished }
        },
    )
}

fn a_key() -> impl Strategy<Value = SearchKey> {
    use SearchKey as K;
    let kind = || prop_oneof![Just(DateKind::Internal), Just(DateKind::Sent)];
    let relation = || prop_oneof![Just(Relation::Before), Just(Relation::On), Just(Relation::Since)];
    let leaf = prop_oneof![
        proptest::sample::select(vec![K::All, K::Recent, K::Old, K::New]),
        a_flag().prop_map(K::Has),
        a_flag().prop_map(K::Lacks),
        a_set().prop_map(K::Sequence),
        a_set().prop_map(K::Uid),
        (kind(), relation(), a_date()).prop_map(|(kind, relation, date)| K::Date { kind, relation, date }),
        nz().prop_map(|seconds| K::Older(seconds.get())),
        nz().prop_map(|seconds| K::Younger(seconds.get())),
        mod_seq().prop_map(K::Larger),
        mod_seq().prop_map(K::Smaller),
        mod_seq().prop_map(K::ModSeq),
        (proptest::sample::select(EnvelopeField::ALL.to_vec()), an_astring()).prop_map(|(f, s)| K::Envelope(f, s)),
        (an_astring(), an_astring()).prop_map(|(name, value)| K::Header(name, value)),
        an_astring().prop_map(K::Body),
        an_astring().prop_map(K::Text),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..5).prop_map(K::and),
            vec(inner.clone(), 1..5).prop_map(K::or),
            inner.prop_map(K::not),
        ]
    })
}

fn a_search() -> impl Strategy<Value = Search> {
    let returns = any::<[bool; 5]>().prop_map(|[min, max, all, count, save]| {
        let all = all || !(min || max || count || save);
        ReturnOptions { min, max, all, count, save }
    });
    (numbering(), option::of(returns), option::of(an_astring()), a_key())
        .prop_map(|(numbering, returns, charset, key)| Search { numbering, returns, charset, key })
}

fn a_select() -> impl Strategy<Value = Select> {
    let matches = vec(1..1000_u32, 1..5).prop_map(|numbers| {
        let sequence: NumberSet = numbers.into_iter().collect();
        let uids = sequence.iter().map(|number| number * 2).collect();
        SequenceMatch { sequence, uids }
    });
    let qresync = (nz(), mod_seq(), option::of(a_number_set()), option::of(matches)).prop_map(
        |(uid_validity, mod_seq, known_uids, matches)| QResync {
            uid_validity: uid_validity.get(),
            mod_seq,
            known_uids,
            matches,
        },
    );
    (a_mailbox(), any::<bool>(), option::of(qresync)).prop_map(|(mailbox, condstore, qresync)| Select {
        mailbox,
        condstore,
        qresync,
    })
}

fn a_list() -> impl Strategy<Value = List> {
    let items = || proptest::sample::subsequence(StatusItem::ALL.to_vec(), 1..5);
    let returns = vec(
        prop_oneof![
            Just(ListReturn::Subscribed),
            Just(ListReturn::Children),
            Just(ListReturn::SpecialUse),
            Just(ListReturn::MyRights),
            items().prop_map(ListReturn::Status),
        ],
        0..4,
    );
    let selection = proptest::sample::subsequence(ListSelection::ALL.to_vec(), 0..4).prop_filter("a base", |options| {
        let base = options.contains(&ListSelection::Subscribed) || options.contains(&ListSelection::SpecialUse);
        base || !options.contains(&ListSelection::RecursiveMatch)
    });
    (selection, a_mailbox(), vec(a_pattern(), 1..4), any::<bool>(), option::of(returns)).prop_map(
        |(selection, reference, patterns, parenthesised, returns)| {
            let parenthesised = parenthesised || patterns.len() > 1;
            List { selection, reference, patterns, parenthesised, returns }
        },
    )
}

fn an_identifier() -> impl Strategy<Value = AString> {
    "[a-z@-][^\\p{Cc}]{0,9}".prop_filter_map("no NUL", |text| AString::new(text.as_bytes()))
}

fn arguments() -> impl Strategy<Value = Arguments> {
    use Arguments as A;
    let id_field = (an_astring(), option::of(an_astring())).prop_map(|(name, value)| IdField { name, value });
    let transfer = || {
        (numbering(), a_set(), a_mailbox()).prop_map(|(numbering, set, mailbox)| Transfer { numbering, set, mailbox })
    };
    let limit = || (an_atom(), mod_seq()).prop_map(|(resource, limit)| QuotaLimit { resource, limit });
    let change = (
        prop_oneof![Just(RightsOperation::Replace), Just(RightsOperation::Add), Just(RightsOperation::Remove)],
        "[a-z0-9]{0,8}",
    )
        .prop_filter_map("rights", |(operation, rights)| {
            Some(RightsChange { operation, rights: Rights::new(rights.as_bytes())? })
        });
    let store = (
        numbering(),
        a_set(),
        option::of(mod_seq()),
        prop_oneof![Just(StoreOperation::Replace), Just(StoreOperation::Add), Just(StoreOperation::Remove)],
        any::<bool>(),
        flags(),
    )
        .prop_map(|(numbering, set, unchanged_since, operation, silent, flags)| Store {
            numbering,
            set,
            unchanged_since,
            operation,
            silent,
            flags,
        });
    prop_oneof![
        prop_oneof![
            proptest::sample::select(vec![
                A::Capability,
                A::Noop,
                A::Logout,
                A::StartTls,
                A::Namespace,
                A::Idle,
                A::Check,
                A::Close,
                A::Unselect,
                A::Expunge
            ]),
            option::of(vec(id_field, 0..4)).prop_map(A::Id),
            (an_atom(), option::of(vec(any::<u8>(), 0..20)))
                .prop_map(|(mechanism, initial)| A::Authenticate { mechanism, initial: initial.map(Secret::new) }),
            (an_astring(), an_astring())
                .prop_map(|(user, password)| A::Login { user, password: Secret::new(password.into_bytes()) }),
            vec(an_atom(), 1..4).prop_map(A::Enable),
            a_select().prop_map(A::Select),
            a_select().prop_map(A::Examine),
            (a_mailbox(), vec(an_atom().prop_map(SpecialUse::new), 0..3))
                .prop_map(|(mailbox, uses)| A::Create { mailbox, uses }),
            (a_mailbox(), a_mailbox()).prop_map(|(from, to)| A::Rename { from, to }),
        ],
        prop_oneof![
            a_mailbox().prop_map(A::Delete),
            a_mailbox().prop_map(A::Subscribe),
            a_mailbox().prop_map(A::Unsubscribe),
            a_mailbox().prop_map(A::GetQuotaRoot),
            a_mailbox().prop_map(A::GetAcl),
            a_mailbox().prop_map(A::MyRights),
            a_list().prop_map(A::List),
            (a_mailbox(), a_pattern()).prop_map(|(reference, pattern)| A::Lsub { reference, pattern }),
            (a_mailbox(), proptest::sample::subsequence(StatusItem::ALL.to_vec(), 1..11))
                .prop_map(|(mailbox, items)| A::Status { mailbox, items }),
        ],
        prop_oneof![
            a_set().prop_map(A::UidExpunge),
            a_search().prop_map(A::Search),
            a_fetch().prop_map(A::Fetch),
            store.prop_map(A::Store),
            transfer().prop_map(A::Copy),
            transfer().prop_map(A::Move),
        ],
        prop_oneof![
            an_astring().prop_map(A::GetQuota),
            (an_astring(), vec(limit(), 0..3)).prop_map(|(root, limits)| A::SetQuota { root, limits }),
            (a_mailbox(), an_identifier(), change).prop_map(|(mailbox, identifier, change)| A::SetAcl {
                mailbox,
                identifier,
                change
            }),
            (a_mailbox(), an_identifier()).prop_map(|(mailbox, identifier)| A::DeleteAcl { mailbox, identifier }),
            (a_mailbox(), an_identifier()).prop_map(|(mailbox, identifier)| A::ListRights { mailbox, identifier }),
        ],
    ]
}

fn encoding() -> impl Strategy<Value = Encoding> {
    prop_oneof![Just(Encoding::ModifiedUtf7), Just(Encoding::Utf8)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn values_survive(arguments in arguments(), tag in "[A-Za-z0-9.]{1,8}", encoding in encoding()) {
        let request = Request { tag: Tag::new(tag.as_bytes()).unwrap(), arguments };
        let printed = print(&request, encoding);
        prop_assert_eq!(parse(&printed, encoding), Ok(request), "{}", printed.escape_ascii());
    }

    #[test]
    fn appends_survive(mailbox in a_mailbox(), flags in flags(), date in option::of(a_date_time()), encoding in encoding()) {
        let prefix = AppendPrefix { tag: Tag::new(b"a").unwrap(), mailbox, item: AppendItem { flags, date } };
        let printed = print_append_prefix(&prefix, encoding);
        prop_assert_eq!(parse_append_prefix(&printed, encoding), Ok(prefix), "{}", printed.escape_ascii());
    }

    /// Whatever parses prints as something that parses to the same.
    #[test]
    fn bytes_survive(at in 0..COMMANDS.len(), edits in vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..4), encoding in encoding()) {
        let mut bytes = COMMANDS[at].1.as_bytes().to_vec();
        for (index, octet, edit) in edits {
            let index = index.index(bytes.len());
            match edit {
                0 => bytes[index] = octet,
                1 => bytes.insert(index, octet),
                _ => drop((bytes.len() > 1).then(|| bytes.remove(index))),
            }
        }
        if let Ok(request) = parse(&bytes, encoding) {
            let printed = print(&request, encoding);
            prop_assert_eq!(parse(&printed, encoding), Ok(request), "{}", printed.escape_ascii());
        }
    }

    #[test]
    fn noise_never_panics(bytes in vec(any::<u8>(), 0..200), encoding in encoding()) {
        let _ = parse(&bytes, encoding);
        let _ = parse_append_prefix(&bytes, encoding);
        let _ = salvage_tag(&bytes);
    }
}
