//! A whole command: tag, name, arguments (RFC 9051, 9: `command`).

use std::fmt::Write;

use bytes::{BufMut, BytesMut};
use nom::{Parser, bytes::complete::take_while1, combinator::map_opt};

use super::{
    Fault, Input, Parsed, SyntaxError,
    access::{mailbox_identifier, print_mailbox_identifier, print_set_acl, print_set_quota, set_acl, set_quota},
    authenticate::{authenticate, login, print_authenticate, print_login},
    expect,
    fetch::{fetch, print_fetch},
    id::{id, print_id},
    list::{list, print_list},
    mailbox::{list_mailbox, mailbox, print_list_mailbox, print_mailbox, print_use_attr, use_attr},
    search::{print_search, search},
    select::{print_select, select},
    sequence_set::{print_sequence_set, sequence_set},
    status::{print_status_items, status_items},
    store::{print_store, store},
    text::{astring, atom, end, keyword, parenthesised, parenthesised1, print_astring, print_parenthesised, sp, word},
};
use crate::types::{Arguments, Atom, Encoding, MailboxArg, Numbering, Request, Tag, Transfer, is_astring_char};

/// Capabilities in one ENABLE, and special uses in one CREATE: more than there are.
const MAX_NAMES: usize = 64;

/// Parses a command, without its final CRLF. `encoding` says how mailbox names are written in this session.
///
/// # Errors
/// [`SyntaxError`], whose text is for the client.
pub fn parse(command: &[u8], encoding: Encoding) -> Result<Request, SyntaxError> {
    let mut seen = None;
    match request(command, encoding, &mut seen) {
        Ok((_, request)) => Ok(request),
        Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => Err(fault.into_error(command, seen)),
        // Complete parsers never ask for more.
        Err(nom::Err::Incomplete(_)) => Err(Fault::missing(command).into_error(command, seen)),
    }
}

/// The tag of a command that framing or parsing gave up on, for its BAD reply. `None` if there is none to be trusted: the
/// reply is then untagged.
pub fn salvage_tag(head: &[u8]) -> Option<Tag> {
    let end = head.iter().position(|&octet| octet == b' ')?;
    Tag::new(&head[..end])
}

/// ```abnf
/// command = tag SP (command-any / command-auth / command-nonauth / command-select) CRLF
/// ```
fn request<'a>(input: Input<'a>, encoding: Encoding, seen: &mut Option<Tag>) -> Parsed<'a, Request> {
    let (rest, tag) = tag(input)?;
    // The beginning of something else (`a+b`) is no tag: it may be that of another command in flight.
    if rest.is_empty() || rest.starts_with(b" ") {
        *seen = Some(tag.clone());
    }
    let (rest, ()) = sp(rest)?;
    let (rest, arguments) = arguments(rest, encoding)?;
    let (rest, ()) = end(rest)?;
    Ok((rest, Request { tag, arguments }))
}

/// ```abnf
/// tag = 1*<any ASTRING-CHAR except "+">
/// ```
pub(super) fn tag(input: Input<'_>) -> Parsed<'_, Tag> {
    let text = take_while1(|octet| is_astring_char(octet) && octet != b'+');
    expect("a tag", map_opt(text, Tag::new)).parse(input)
}

/// The name of the command and all behind it.
fn arguments(input: Input<'_>, encoding: Encoding) -> Parsed<'_, Arguments> {
    let (rest, name) = word("a command")(input)?;
    let name = name.to_ascii_uppercase();
    let simple = match name.as_str() {
        "CAPABILITY" => Arguments::Capability,
        "NOOP" => Arguments::Noop,
        "LOGOUT" => Arguments::Logout,
        "STARTTLS" => Arguments::StartTls,
        "NAMESPACE" => Arguments::Namespace,
        "IDLE" => Arguments::Idle,
        "CHECK" => Arguments::Check,
        "CLOSE" => Arguments::Close,
        "UNSELECT" => Arguments::Unselect,
        "EXPUNGE" => Arguments::Expunge,
        _ => {
            // Told apart before the space, so that an unknown name is blamed and not what follows it.
            let Some(parser) = parser_of(&name) else {
                return Err(Fault::expected(input, "a command"));
            };
            let (rest, ()) = sp(rest)?;
            return parser(rest, encoding);
        }
    };
    Ok((rest, simple))
}

type ArgumentsParser = for<'a> fn(Input<'a>, Encoding) -> Parsed<'a, Arguments>;

/// Parsers of what follows the name and a space.
fn parser_of(name: &str) -> Option<ArgumentsParser> {
    Some(match name {
        "UID" => |i, encoding| uid(i, encoding),
        "FETCH" => |i, _| fetch(Numbering::Sequence).map(Arguments::Fetch).parse(i),
        "STORE" => |i, _| store(Numbering::Sequence).map(Arguments::Store).parse(i),
        "SEARCH" => |i, _| search(Numbering::Sequence).map(Arguments::Search).parse(i),
        "COPY" => |i, encoding| transfer(Numbering::Sequence, encoding).map(Arguments::Copy).parse(i),
        "MOVE" => |i, encoding| transfer(Numbering::Sequence, encoding).map(Arguments::Move).parse(i),
        "ID" => |i, _| id.map(Arguments::Id).parse(i),
        "AUTHENTICATE" => |i, _| authenticate(i),
        "LOGIN" => |i, _| login(i),
        "ENABLE" => |i, _| enable(i),
        "SELECT" => |i, encoding| select(encoding).map(Arguments::Select).parse(i),
        "EXAMINE" => |i, encoding| select(encoding).map(Arguments::Examine).parse(i),
        "CREATE" => create,
        "DELETE" => |i, encoding| mailbox(encoding).map(Arguments::Delete).parse(i),
        "RENAME" => rename,
        "SUBSCRIBE" => |i, encoding| mailbox(encoding).map(Arguments::Subscribe).parse(i),
        "UNSUBSCRIBE" => |i, encoding| mailbox(encoding).map(Arguments::Unsubscribe).parse(i),
        "LIST" => |i, encoding| list(encoding).map(Arguments::List).parse(i),
        "LSUB" => lsub,
        "STATUS" => status,
        "GETQUOTA" => |i, _| astring.map(Arguments::GetQuota).parse(i),
        "GETQUOTAROOT" => |i, encoding| mailbox(encoding).map(Arguments::GetQuotaRoot).parse(i),
        "SETQUOTA" => |i, _| set_quota(i),
        "GETACL" => |i, encoding| mailbox(encoding).map(Arguments::GetAcl).parse(i),
        "MYRIGHTS" => |i, encoding| mailbox(encoding).map(Arguments::MyRights).parse(i),
        "SETACL" => |i, encoding| set_acl(encoding)(i),
        "DELETEACL" => |i, encoding| {
            mailbox_identifier(encoding, |mailbox, identifier| Arguments::DeleteAcl { mailbox, identifier })(i)
        },
        "LISTRIGHTS" => |i, encoding| {
            mailbox_identifier(encoding, |mailbox, identifier| Arguments::ListRights { mailbox, identifier })(i)
        },
        _ => return None,
    })
}

/// ```abnf
/// uid         = "UID" SP (copy / move / fetch / search / store / uid-expunge)
/// uid-expunge = "EXPUNGE" SP sequence-set
/// ```
fn uid(input: Input<'_>, encoding: Encoding) -> Parsed<'_, Arguments> {
    let expected = "COPY, EXPUNGE, FETCH, MOVE, SEARCH or STORE";
    let (rest, name) = word(expected)(input)?;
    let arguments: ArgumentsParser = match name.to_ascii_uppercase().as_str() {
        "FETCH" => |i, _| fetch(Numbering::Uid).map(Arguments::Fetch).parse(i),
        "STORE" => |i, _| store(Numbering::Uid).map(Arguments::Store).parse(i),
        "SEARCH" => |i, _| search(Numbering::Uid).map(Arguments::Search).parse(i),
        "COPY" => |i, encoding| transfer(Numbering::Uid, encoding).map(Arguments::Copy).parse(i),
        "MOVE" => |i, encoding| transfer(Numbering::Uid, encoding).map(Arguments::Move).parse(i),
        "EXPUNGE" => |i, _| sequence_set.map(Arguments::UidExpunge).parse(i),
        _ => return Err(Fault::expected(input, expected)),
    };
    let (rest, ()) = sp(rest)?;
    arguments(rest, encoding)
}

/// ```abnf
/// copy = "COPY" SP sequence-set SP mailbox
/// move = "MOVE" SP sequence-set SP mailbox
/// ```
fn transfer<'a>(numbering: Numbering, encoding: Encoding) -> impl FnMut(Input<'a>) -> Parsed<'a, Transfer> {
    move |input| {
        let (rest, (set, (), mailbox)) = (sequence_set, sp, mailbox(encoding)).parse(input)?;
        Ok((rest, Transfer { numbering, set, mailbox }))
    }
}

/// ```abnf
/// enable = "ENABLE" 1*(SP capability)
/// ```
fn enable(input: Input<'_>) -> Parsed<'_, Arguments> {
    let (mut rest, first) = expect("a capability", atom).parse(input)?;
    let mut names: Vec<Atom> = vec![first];
    while let Some(after) = rest.strip_prefix(b" ").filter(|after| !after.iter().all(|&octet| octet == b' ')) {
        if names.len() == MAX_NAMES {
            return Err(Fault::too_many(after, "capabilities"));
        }
        let (after, name) = expect("a capability", atom).parse(after)?;
        names.push(name);
        rest = after;
    }
    Ok((rest, Arguments::Enable(names)))
}

/// ```abnf
/// create        = "CREATE" SP mailbox [SP "(" create-param *(SP create-param) ")"]
/// create-param  = "USE" SP "(" [use-attr *(SP use-attr)] ")"
/// ```
fn create(input: Input<'_>, encoding: Encoding) -> Parsed<'_, Arguments> {
    let (rest, mailbox) = mailbox(encoding)(input)?;
    let mut uses = Vec::new();
    let Some(after) = rest.strip_prefix(b" ").filter(|after| after.starts_with(b"(")) else {
        return Ok((rest, Arguments::Create { mailbox, uses }));
    };
    let param = |input| {
        let (rest, ((), (), attributes)) =
            (keyword("USE"), sp, parenthesised(use_attr, MAX_NAMES, "special uses")).parse(input)?;
        uses.extend(attributes);
        Ok((rest, ()))
    };
    let (rest, _) = parenthesised1(param, 1, "create parameters")(after)?;
    Ok((rest, Arguments::Create { mailbox, uses }))
}

/// ```abnf
/// rename = "RENAME" SP mailbox SP mailbox
/// ```
fn rename(input: Input<'_>, encoding: Encoding) -> Parsed<'_, Arguments> {
    let (rest, (from, (), to)) = (mailbox(encoding), sp, mailbox(encoding)).parse(input)?;
    Ok((rest, Arguments::Rename { from, to }))
}

/// ```abnf
/// lsub = "LSUB" SP mailbox SP list-mailbox
/// ```
fn lsub(input: Input<'_>, encoding: Encoding) -> Parsed<'_, Arguments> {
    let (rest, (reference, (), pattern)) = (mailbox(encoding), sp, list_mailbox(encoding)).parse(input)?;
    Ok((rest, Arguments::Lsub { reference, pattern }))
}

/// ```abnf
/// status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"
/// ```
fn status(input: Input<'_>, encoding: Encoding) -> Parsed<'_, Arguments> {
    let (rest, (mailbox, (), items)) = (mailbox(encoding), sp, status_items).parse(input)?;
    Ok((rest, Arguments::Status { mailbox, items }))
}

/// Prints a command, without its final CRLF.
pub fn print(request: &Request, encoding: Encoding) -> BytesMut {
    let mut out = BytesMut::new();
    // Writing to a BytesMut cannot fail.
    let _ = write!(out, "{} {}", request.tag, request.arguments.name());
    let before = out.len();
    out.put_u8(b' ');
    print_arguments(&mut out, &request.arguments, encoding);
    if out.len() == before + 1 {
        out.truncate(before);
    }
    out
}

fn print_arguments(out: &mut BytesMut, arguments: &Arguments, encoding: Encoding) {
    match arguments {
        Arguments::Capability
        | Arguments::Noop
        | Arguments::Logout
        | Arguments::StartTls
        | Arguments::Namespace
        | Arguments::Idle
        | Arguments::Check
        | Arguments::Close
        | Arguments::Unselect
        | Arguments::Expunge => {}
        Arguments::Id(fields) => print_id(out, fields.as_deref(), encoding),
        Arguments::Authenticate { mechanism, initial } => print_authenticate(out, mechanism, initial.as_ref()),
        Arguments::Login { user, password } => print_login(out, user, password, encoding),
        Arguments::Enable(names) => {
            let names: Vec<&str> = names.iter().map(Atom::as_str).collect();
            out.put_slice(names.join(" ").as_bytes());
        }
        Arguments::Select(arguments) | Arguments::Examine(arguments) => print_select(out, arguments, encoding),
        Arguments::Create { mailbox, uses } => {
            print_mailbox(out, mailbox.as_str(), encoding);
            if !uses.is_empty() {
                out.put_slice(b" (USE ");
                print_parenthesised(out, uses, print_use_attr);
                out.put_u8(b')');
            }
        }
        Arguments::Rename { from, to } => {
            print_mailbox(out, from.as_str(), encoding);
            out.put_u8(b' ');
            print_mailbox(out, to.as_str(), encoding);
        }
        Arguments::Delete(mailbox)
        | Arguments::Subscribe(mailbox)
        | Arguments::Unsubscribe(mailbox)
        | Arguments::GetQuotaRoot(mailbox)
        | Arguments::GetAcl(mailbox)
        | Arguments::MyRights(mailbox) => print_mailbox(out, mailbox.as_str(), encoding),
        Arguments::List(arguments) => print_list(out, arguments, encoding),
        Arguments::Lsub { reference, pattern } => print_lsub(out, reference, pattern, encoding),
        Arguments::Status { mailbox, items } => {
            print_mailbox(out, mailbox.as_str(), encoding);
            out.put_u8(b' ');
            print_status_items(out, items);
        }
        Arguments::UidExpunge(set) => print_sequence_set(out, set),
        Arguments::Search(arguments) => print_search(out, arguments, encoding),
        Arguments::Fetch(arguments) => print_fetch(out, arguments, encoding),
        Arguments::Store(arguments) => print_store(out, arguments),
        Arguments::Copy(transfer) | Arguments::Move(transfer) => {
            print_sequence_set(out, &transfer.set);
            out.put_u8(b' ');
            print_mailbox(out, transfer.mailbox.as_str(), encoding);
        }
        Arguments::GetQuota(root) => print_astring(out, root.as_bytes(), encoding),
        Arguments::SetQuota { root, limits } => print_set_quota(out, root, limits, encoding),
        Arguments::SetAcl { mailbox, identifier, change } => {
            print_set_acl(out, mailbox, identifier, change, encoding);
        }
        Arguments::DeleteAcl { mailbox, identifier } | Arguments::ListRights { mailbox, identifier } => {
            print_mailbox_identifier(out, mailbox, identifier, encoding);
        }
    }
}

fn print_lsub(out: &mut BytesMut, reference: &MailboxArg, pattern: &crate::types::ListPattern, encoding: Encoding) {
    print_mailbox(out, reference.as_str(), encoding);
    out.put_u8(b' ');
    print_list_mailbox(out, pattern, encoding);
}
