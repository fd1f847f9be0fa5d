//! Quota roots (RFC 9208).

use super::{Output, usage};
use crate::imap::Part;
use crate::session::decoded;
use crate::shell::Shell;
use crate::trouble::{Trouble, printable};
use crate::value::Value;

/// ```text
/// setquota ROOT none|LIMIT|RESOURCE LIMIT [RESOURCE LIMIT]...
/// ```
pub(super) fn set(shell: &mut Shell<'_>, words: &[String], _: &mut Output) -> Result<(), Trouble> {
    let limits = match words {
        [_, none] if none.eq_ignore_ascii_case("none") => String::new(),
        [_, limit] => format!("STORAGE {}", number(limit)?),
        [_, pairs @ ..] if !pairs.is_empty() => {
            let (pairs, rest) = pairs.as_chunks::<2>();
            if !rest.is_empty() {
                return Err(usage("setquota"));
            }
            let limits = pairs.iter().map(|[resource, limit]| {
                let is_atom = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
                if resource.is_empty() || !resource.chars().all(is_atom) {
                    return Err(Trouble::usage(format!("{resource} is no resource")));
                }
                Ok(format!("{} {}", resource.to_ascii_uppercase(), number(limit)?))
            });
            limits.collect::<Result<Vec<_>, _>>()?.join(" ")
        }
        _ => return Err(usage("setquota")),
    };
    shell.session()?.on("SETQUOTA", &words[0], &[Part::Raw(" ("), Part::Raw(&limits), Part::Raw(")")]).map(drop)
}

fn number(text: &str) -> Result<u64, Trouble> {
    text.parse().map_err(|_| Trouble::usage(format!("{text} is no limit: a number, of KiB for STORAGE, or none")))
}

/// Each resource in a line, ` STORAGE 12/1024 (1.17%)`.
///
/// ```text
/// listquota ROOT
/// ```
pub(super) fn list(shell: &mut Shell<'_>, words: &[String], output: &mut Output) -> Result<(), Trouble> {
    let [root] = words else { return Err(usage("listquota")) };
    let answer = shell.session()?.on("GETQUOTA", root, &[])?;
    for response in answer.responses.iter().filter(|response| response.first().is_some_and(|v| v.is("QUOTA"))) {
        resources(response, "", output)?;
    }
    Ok(())
}

/// Each resource of each root in a line, `user/joe STORAGE 12/1024 (1.17%)`.
///
/// ```text
/// listquotaroot MAILBOX
/// ```
pub(super) fn list_roots(shell: &mut Shell<'_>, words: &[String], output: &mut Output) -> Result<(), Trouble> {
    let [mailbox] = words else { return Err(usage("listquotaroot")) };
    let answer = shell.session()?.on("GETQUOTAROOT", mailbox, &[])?;
    for response in answer.responses.iter().filter(|response| response.first().is_some_and(|v| v.is("QUOTA"))) {
        let root = response.get(1).and_then(Value::text).ok_or_else(|| Trouble::protocol("QUOTA without a root"))?;
        resources(response, &decoded(&root), output)?;
    }
    Ok(())
}

fn resources(response: &[Value], root: &str, output: &mut Output) -> Result<(), Trouble> {
    let wrong = || Trouble::protocol("QUOTA without its resources");
    let list = response.get(2).and_then(Value::list).ok_or_else(wrong)?;
    if list.is_empty() {
        output.line(format!("{root} no limits"));
    }
    for [resource, used, limit] in list.as_chunks::<3>().0 {
        let resource = resource.text().ok_or_else(wrong)?;
        let figure = |value: &Value| value.text().and_then(|text| text.parse::<u64>().ok()).ok_or_else(wrong);
        let (used, limit) = (figure(used)?, figure(limit)?);
        let share = if limit == 0 { String::new() } else { format!(" ({:.2}%)", used as f64 * 100.0 / limit as f64) };
        output.line(printable(&format!("{root} {resource} {used}/{limit}{share}")));
    }
    Ok(())
}
