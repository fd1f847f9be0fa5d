//! The options of what is to be done with a user's mail as it comes: replies while the user is away, and the junk filter. Both
//! are kept and checked. They come into force with Sieve scripts, which this version does not run: whoever switches one on is
//! told so.

use clap::{Arg, ArgAction, ArgMatches};
use directory::{Decision, Error, JunkAction, JunkFilter, SenderPattern, User};
use tools::{CommandError, Console};

use super::fields::{Option_, Style, list, switch};
use crate::commands::listing::text;

/// The switches; they need not be on for the rest to be set.
const VACATION: Option_ = (
    "vacation",
    "vacation",
    "BOOL",
    "The user is away: reply to who writes. This is kept, but no reply is sent before the server runs Sieve scripts, which \
     this version does not",
);
const JUNK_FILTER: Option_ = (
    "junk-filter",
    "junkFilter",
    "BOOL",
    "Mail that is addressed to none of the user's addresses and aliases is junk. This is kept, but nothing is filtered before \
     the server runs Sieve scripts, which this version does not",
);

/// Texts. An empty one takes away what was there.
const REPLY: [Option_; 3] = [
    ("vacation-subject", "vacationSubject", "TEXT", "Subject of the reply [default: Absence notification]"),
    (
        "vacation-text",
        "vacationText",
        "TEXT",
        "Text of the reply [default: This is an automated reply: This person is temporarily out of the office]",
    ),
    ("vacation-days", "vacationDays", "DAYS", "Days until the same sender gets another reply, 1 to 90 [default: 7]"),
];
const ACTION: Option_ = ("junk-action", "junkAction", "ACTION", "What becomes of junk [default: save]");

/// Senders who are exceptions. Each list replaces what was there; an empty one takes it away.
const EXCEPTIONS: [(Decision, Option_); 2] = [
    (
        Decision::Allow,
        (
            "junk-allow",
            "junkAllow",
            "SENDER",
            "A sender whose mail is no junk, joe@xyz.com, or the domain of many, xyz.com; again for more",
        ),
    ),
    (
        Decision::Deny,
        ("junk-deny", "junkDeny", "SENDER", "A sender, or the domain of many, whose mail is; again for more"),
    ),
];

/// All of these options.
pub(super) fn args(arg: impl Fn(Option_) -> Arg) -> Vec<Arg> {
    let mut replies = vec![switch(arg(VACATION))];
    replies.extend(REPLY.map(&arg));
    let mut junk = vec![switch(arg(JUNK_FILTER)), arg(ACTION).value_parser(JunkAction::ALL.map(JunkAction::name))];
    junk.extend(EXCEPTIONS.map(|(_, option)| several(arg(option))));
    let replies = replies.into_iter().map(|arg| arg.help_heading("Replies while away"));
    replies.chain(junk.into_iter().map(|arg| arg.help_heading("Junk filter"))).collect()
}

/// The options of exceptions alone, for those of everybody.
pub(in crate::commands) fn exception_args(style: Style) -> [Arg; 2] {
    let help = |decision| match decision {
        Decision::Allow => {
            "A sender, or the domain of many, whose mail is junk to nobody's junk filter; again for more"
        }
        Decision::Deny => "A sender, or the domain of many, whose mail is junk to everybody's; again for more",
    };
    EXCEPTIONS.map(|(decision, (words, _, value, _))| {
        let long = match (style, decision) {
            (Style::Words, _) => words,
            (Style::Attributes, Decision::Allow) => "JunkAllow",
            (Style::Attributes, Decision::Deny) => "JunkDeny",
        };
        several(Arg::new(words).long(long).value_name(value).help(help(decision)))
    })
}

fn several(arg: Arg) -> Arg {
    arg.action(ArgAction::Append).value_delimiter(',')
}

fn is_any_given(matches: &ArgMatches, options: &[Option_]) -> bool {
    options.iter().any(|option| matches.contains_id(option.0))
}

fn is_vacation(matches: &ArgMatches) -> bool {
    is_any_given(matches, &[VACATION]) || is_any_given(matches, &REPLY)
}

fn is_junk(matches: &ArgMatches) -> bool {
    is_any_given(matches, &[JUNK_FILTER, ACTION]) || is_any_given(matches, &EXCEPTIONS.map(|(_, option)| option))
}

/// Whether any of them is given.
pub(super) fn any(matches: &ArgMatches) -> bool {
    is_vacation(matches) || is_junk(matches)
}

/// Changes `user` as the options say.
pub(super) fn edit(matches: &ArgMatches, user: &mut User) -> Result<(), CommandError> {
    if is_vacation(matches) {
        edit_vacation(matches, user)?;
    }
    if is_junk(matches) {
        edit_junk_filter(matches, user)?;
    }
    Ok(())
}

fn edit_vacation(matches: &ArgMatches, user: &mut User) -> Result<(), CommandError> {
    let mut vacation = user.vacation.take().map(|vacation| *vacation).unwrap_or_default();
    if let Some(on) = matches.get_one::<bool>("vacation") {
        vacation.on = *on;
    }
    for (name, field) in [("vacation-subject", &mut vacation.subject), ("vacation-text", &mut vacation.text)] {
        if let Some(text) = text(matches, name) {
            *field = text;
        }
    }
    if let Some(days) = text(matches, "vacation-days") {
        let number = if days.is_empty() { Some(directory::Vacation::default().days) } else { days.parse().ok() };
        let wrong = || Error::rule("vacation.days", &days, "a number of days from 1 to 90");
        vacation.days = number.ok_or_else(wrong)?;
    }
    user.vacation = vacation.kept();
    Ok(())
}

fn edit_junk_filter(matches: &ArgMatches, user: &mut User) -> Result<(), CommandError> {
    let mut filter = user.junk_filter.take().map(|filter| *filter).unwrap_or_default();
    if let Some(on) = matches.get_one::<bool>("junk-filter") {
        filter.on = *on;
    }
    if let Some(name) = text(matches, "junk-action") {
        filter.action = JunkAction::parse(&name)?;
    }
    for (decision, patterns) in exceptions(matches, JunkFilter::EXCEPTIONS)? {
        filter.set_patterns(decision, patterns);
    }
    user.junk_filter = filter.kept();
    Ok(())
}

/// The lists of senders that are given, which errors call `field`.
pub(in crate::commands) fn exceptions(
    matches: &ArgMatches,
    field: &'static str,
) -> Result<Vec<(Decision, Vec<SenderPattern>)>, CommandError> {
    let mut given = Vec::new();
    for (decision, (name, ..)) in EXCEPTIONS {
        if let Some(texts) = list(matches, name) {
            let patterns: Result<_, Error> = texts.iter().map(|text| SenderPattern::parse(text)).collect();
            given.push((decision, patterns.map_err(|error| error.of_field(field))?));
        }
    }
    Ok(given)
}

/// Says what is not done yet, to whoever switches it on.
pub(super) fn warn(name: &str, matches: &ArgMatches, console: &mut dyn Console) -> Result<(), CommandError> {
    for (switch, what) in [("vacation", "no replies are sent"), ("junk-filter", "nothing is filtered")] {
        if matches.get_one::<bool>(switch).copied().unwrap_or_default() {
            let why = "this version of the server does not run Sieve scripts";
            console.err(&format!("{name}: --{switch} is kept, but {what} yet: {why}"))?;
        }
    }
    Ok(())
}

/// Names and values, for people.
pub(super) fn rows(user: &User) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let Some(vacation) = &user.vacation {
        let state = if vacation.on { "on (but no replies are sent yet)" } else { "off" };
        rows.extend([
            ("vacation", state.to_owned()),
            ("reply subject", vacation.effective_subject().to_owned()),
            // Lines that go on stand below the first.
            ("reply text", vacation.effective_text().trim_end().replace('\n', "\n               ")),
            ("reply days", vacation.days.to_string()),
        ]);
    }
    if let Some(filter) = &user.junk_filter {
        let senders = |decision| filter.patterns(decision).map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let state = if filter.on { "on (but nothing is filtered yet)" } else { "off" };
        rows.extend([
            ("junk filter", state.to_owned()),
            ("junk action", filter.action.name().to_owned()),
            ("junk allowed", senders(Decision::Allow)),
            ("junk denied", senders(Decision::Deny)),
        ]);
    }
    rows
}
