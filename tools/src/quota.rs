//! Quotas: what users may store and do store, and putting right what is counted wrongly.

use std::collections::HashSet;
use std::ops::ControlFlow;

use directory::{Directory, Service, User, UserId};
use mailstore::{MailboxName, QuotaFinding, QuotaRepair, QuotaUsage, QuotaUsed, STORAGE_UNIT, Store};
use serde_json::{Value, json};

use crate::accounts::{Followed, follow_rows, follow_user};
use crate::error::CommandError;
use crate::{Console, Exit, Progress};

/// What `quota` is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuotaRequest {
    /// Put right what is wrong.
    pub fix: bool,
    /// With `fix`: only say what would be put right.
    pub dry_run: bool,
    /// With `fix`: no report, only what was wrong.
    pub quiet: bool,
    /// With `fix`: add up records and file sizes instead of believing the indexes.
    pub deep: bool,
    /// One JSON object a line.
    pub json: bool,
    /// Only roots whose names begin with one of these; internal names.
    pub prefixes: Vec<String>,
}

/// Repairs quotas if asked to, and prints what each root's mailboxes use.
///
/// Ends with [`Exit::Found`] if something was wrong and is left so: with a dry run, or if it is work for `reconstruct`.
///
/// # Errors
/// [`CommandError::Store`] if the store fails, [`CommandError::Io`] if nobody reads the answer any more.
pub fn quota(store: &Store, request: &QuotaRequest, console: &mut dyn Console) -> Result<Exit, CommandError> {
    let exit = if request.fix { repair(store, request, console)? } else { Exit::Ok };
    if !request.fix || !request.quiet {
        report(store, request, console)?;
    }
    Ok(exit)
}

/// The same for users, whose quotas the directory says: with `fix` what it says of those that were asked for is put in place of
/// what their roots say. Where the directory can't be asked, the rest is done.
///
/// # Errors
/// Those of [`quota`], and in the end the directory's.
pub fn quota_of_users<D: Directory + ?Sized>(
    store: &Store,
    service: &Service<'_, D>,
    request: &QuotaRequest,
    console: &mut dyn Console,
) -> Result<Exit, CommandError> {
    let followed = if request.fix { follow(store, service, request, console) } else { Ok(Exit::Ok) };
    let exit = quota(store, request, console)?;
    Ok(if followed? == Exit::Ok { exit } else { Exit::Found })
}

/// Limits that do not say what the directory says.
fn follow<D: Directory + ?Sized>(
    store: &Store,
    service: &Service<'_, D>,
    request: &QuotaRequest,
    console: &mut dyn Console,
) -> Result<Exit, CommandError> {
    let (mut left, mut unread) = (false, None);
    let mut wanted = |uid: &UserId| ControlFlow::Continue(request.covers(&format!("user/{uid}")));
    let mut tell = |followed: &Followed| {
        left |= request.dry_run;
        let line = if request.json { followed_json(followed).to_string() } else { followed.to_string() };
        match console.out(&line) {
            Ok(()) => ControlFlow::Continue(()),
            Err(problem) => {
                unread = Some(problem);
                ControlFlow::Break(())
            }
        }
    };
    follow_rows(store, service, request.dry_run, &mut wanted, &mut tell)?;
    match unread {
        Some(problem) => Err(problem.into()),
        None if left => Ok(Exit::Found),
        None => Ok(Exit::Ok),
    }
}

/// Something that [`recount`] has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// A word for its kind, as `--json` has it.
    pub kind: &'static str,
    /// What it is, for people.
    pub text: String,
    /// Whether it is left for another tool, which none but `reconstruct` is.
    pub is_open: bool,
}

/// What `quota -f` does, for a few users by name: their limits are what the directory says, and their roots count what their
/// mailboxes use. Reads the index header of each of their mailboxes. Blocks.
///
/// # Errors
/// [`CommandError`]; what was found until then is put right.
pub fn recount<D: Directory + ?Sized>(
    store: &Store,
    service: &Service<'_, D>,
    users: &[&User],
    dry_run: bool,
) -> Result<Vec<Found>, CommandError> {
    let mut all = Vec::new();
    for user in users {
        let followed = follow_user(store, service, user, dry_run)?;
        all.extend(followed.map(|followed| Found { kind: "limit", text: followed.to_string(), is_open: false }));
    }
    let names: HashSet<String> = users.iter().map(|user| user.uid.to_string()).collect();
    if names.is_empty() {
        return Ok(all);
    }
    let wanted = QuotaRepair { users: names, dry_run, ..QuotaRepair::default() };
    store.repair_quotas(&wanted, &mut |_| true, &mut |finding| {
        all.push(Found { kind: kind(finding), text: finding.to_string(), is_open: finding.is_open() });
        true
    })?;
    Ok(all)
}

/// A word for what was found.
fn kind(finding: &QuotaFinding) -> &'static str {
    match finding {
        QuotaFinding::Root { .. } => "root",
        QuotaFinding::Usage { .. } => "usage",
        QuotaFinding::Removed { .. } => "removed",
        QuotaFinding::Counters { .. } => "counters",
        QuotaFinding::File { .. } => "file",
        _ => "other",
    }
}

impl QuotaRequest {
    fn covers(&self, root: &str) -> bool {
        self.prefixes.is_empty() || self.prefixes.iter().any(|prefix| root.starts_with(prefix.as_str()))
    }
}

fn repair(store: &Store, request: &QuotaRequest, console: &mut dyn Console) -> Result<Exit, CommandError> {
    let QuotaRequest { dry_run, deep, .. } = *request;
    let prefixes = request.prefixes.clone();
    let total = store.quota_roots().len() as u64;
    let (mut done, mut left) = (0, false);
    let mut gone = None;
    // Both callbacks speak through it.
    let console = std::cell::RefCell::new(console);
    let mut progress = |root: &MailboxName| {
        let progress = Progress { what: root.to_string(), done, total: Some(total) };
        done += 1;
        console.borrow_mut().progress(&progress).map_err(|problem| gone = Some(problem)).is_ok()
    };
    let mut unread = None;
    let mut tell = |finding: &QuotaFinding| {
        left |= dry_run || finding.is_open();
        let line = if request.json { finding_json(finding).to_string() } else { finding.to_string() };
        console.borrow_mut().out(&line).map_err(|problem| unread = Some(problem)).is_ok()
    };
    let wanted = QuotaRepair { prefixes, dry_run, deep, ..QuotaRepair::default() };
    store.repair_quotas(&wanted, &mut progress, &mut tell)?;
    match gone.or(unread) {
        Some(problem) => Err(problem.into()),
        None if left => Ok(Exit::Found),
        None => Ok(Exit::Ok),
    }
}

fn report(store: &Store, request: &QuotaRequest, console: &mut dyn Console) -> Result<(), CommandError> {
    if !request.json {
        console.out("   Quota  % Used    Used Root")?;
    }
    for (root, _) in store.quota_roots() {
        if !request.covers(root.as_str()) {
            continue;
        }
        let usage = match store.quota(&root) {
            Ok(usage) => usage,
            // It was removed since.
            Err(mailstore::Error::NotFound(_)) => continue,
            Err(problem) => return Err(problem.into()),
        };
        if request.json {
            console.out(&usage_json(&usage).to_string())?;
        } else {
            console.out(&row(usage.limits.storage_kib, usage.used.bytes / STORAGE_UNIT, &root.to_string()))?;
            if usage.limits.messages.is_some() {
                console.out(&row(usage.limits.messages, usage.used.messages, &format!("{root} (messages)")))?;
            }
        }
    }
    Ok(())
}

/// A row of the report, as Cyrus 2 printed it: no percentage of nothing, no limit where there is none.
fn row(limit: Option<u64>, used: u64, name: &str) -> String {
    match limit {
        None => format!(" {:>7} {:>7} {used:>7} {name}", "", ""),
        Some(0) => format!(" {:>7} {:>7} {used:>7} {name}", 0, ""),
        Some(limit) => {
            let percent = u128::from(used) * 100 / u128::from(limit);
            format!(" {limit:>7} {percent:>7} {used:>7} {name}")
        }
    }
}

fn usage_json(usage: &QuotaUsage) -> Value {
    json!({
        "root": usage.root.as_str(),
        "storage": {"limit_kib": usage.limits.storage_kib, "used_bytes": usage.used.bytes, "percent": usage.percent()},
        "messages": {"limit": usage.limits.messages, "used": usage.used.messages},
    })
}

fn followed_json(followed: &Followed) -> Value {
    let Followed { uid, was, now } = followed;
    json!({"finding": "limit", "root": format!("user/{uid}"), "was_kib": was, "now_kib": now})
}

fn finding_json(finding: &QuotaFinding) -> Value {
    let used = |used: &QuotaUsed| json!({"bytes": used.bytes, "messages": used.messages});
    let name = |name: &Option<MailboxName>| name.as_ref().map(|name| name.to_string());
    let mut object = match finding {
        QuotaFinding::Root { mailbox, was, now } => {
            json!({"mailbox": mailbox.as_str(), "was": name(was), "now": name(now)})
        }
        QuotaFinding::Usage { root, was, now } => json!({"root": root.as_str(), "was": used(was), "now": used(now)}),
        QuotaFinding::Removed { root } => json!({"root": root}),
        QuotaFinding::Counters { mailbox, was, now } => {
            json!({"mailbox": mailbox.as_str(), "was": used(was), "now": used(now)})
        }
        QuotaFinding::File { mailbox, uid, record, file } => {
            json!({"mailbox": mailbox.as_str(), "uid": uid, "record": record, "file": file})
        }
        other => json!({"what": other.to_string()}),
    };
    object["finding"] = kind(finding).into();
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, Recorder};

    fn run(fixture: &Fixture, request: QuotaRequest) -> (Exit, Vec<String>) {
        let mut console = Recorder::default();
        let exit = quota(&fixture.store, &request, &mut console).unwrap();
        (exit, console.out)
    }

    #[test]
    fn rows_look_as_they_always_did() {
        for (limit, used, expected) in [
            (Some(10240), 3, "   10240       0       3 user/joe"),
            (Some(3), 2, "       3      66       2 user/joe"),
            (Some(0), 0, "       0               0 user/joe"),
            (None, 12, "                      12 user/joe"),
            (Some(u64::MAX), u64::MAX, " 18446744073709551615     100 18446744073709551615 user/joe"),
        ] {
            assert_eq!(row(limit, used, "user/joe"), expected);
        }
    }

    #[test]
    fn report_and_repair() {
        let fixture = Fixture::new();
        fixture.limit("joe", 10240);
        let (_, lines) = run(&fixture, QuotaRequest::default());
        assert_eq!(lines, ["   Quota  % Used    Used Root", "   10240       0       0 user/joe"]);
        let file = fixture.dir.path().join("config/quota/j/user.joe");
        std::fs::write(&file, "1\n10240\nM 1 -1\n").unwrap();
        let fix = QuotaRequest { fix: true, quiet: true, ..QuotaRequest::default() };
        let (exit, lines) = run(&fixture, QuotaRequest { dry_run: true, ..fix.clone() });
        assert_eq!((exit, lines), (Exit::Found, vec!["user/joe: usage was 1, now 0".to_owned()]));
        let (exit, lines) = run(&fixture, QuotaRequest { quiet: false, ..fix.clone() });
        assert_eq!(exit, Exit::Ok);
        assert_eq!(lines[0], "user/joe: usage was 1, now 0");
        assert_eq!(lines.len(), 3);
        assert_eq!(run(&fixture, fix), (Exit::Ok, vec![]));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "0\n10240\nM 0 -1\n");
    }

    #[test]
    fn json_and_prefixes() {
        let fixture = Fixture::new();
        fixture.limit("joe", 10);
        fixture.limit("sue", 20);
        let prefixes = vec!["user/s".to_owned()];
        let (_, lines) = run(&fixture, QuotaRequest { json: true, prefixes, ..QuotaRequest::default() });
        assert_eq!(lines.len(), 1);
        let row: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!((row["root"].as_str(), row["storage"]["limit_kib"].as_u64()), (Some("user/sue"), Some(20)));
    }

    #[test]
    fn whoever_goes_away_ends_it() {
        let fixture = Fixture::new();
        fixture.limit("joe", 10);
        let mut console = Recorder { gone: true, ..Recorder::default() };
        let request = QuotaRequest { fix: true, ..QuotaRequest::default() };
        assert!(matches!(quota(&fixture.store, &request, &mut console), Err(CommandError::Io(_))));
    }
}
