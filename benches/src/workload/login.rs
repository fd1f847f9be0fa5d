//! A new connection, LOGIN and LOGOUT, again and again, as web mailers do it.

use super::Options;
use crate::imap::Imap;
use crate::measure::{Client, Meter, drive};
use crate::{Failure, Report, Target};

/// Users who log in.
const USERS: usize = 40;

struct Visitor {
    target: Target,
    users: usize,
    next: usize,
}

pub(super) async fn run(target: &Target, options: &Options) -> Result<Option<Report>, Failure> {
    if options.prepare {
        return Ok(None);
    }
    let connections = options.connections.unwrap_or(8);
    let users = options.population.unwrap_or(USERS);
    // Once each, so that no server has somebody's first login in its figures.
    let mut visitors = vec![Visitor { target: target.clone(), users, next: 0 }];
    for _ in 0..users {
        visitors[0].step().await?;
    }
    for n in 1..connections {
        visitors.push(Visitor { target: target.clone(), users, next: n * users / connections });
    }
    if let Some(secure) = &target.tls {
        secure.begin_counting();
    }
    let meter = Meter::begin(target)?;
    let (_, run) = drive(visitors, options.bounds(2, 20_000)).await?;
    let Some(secure) = &target.tls else { return meter.report("login", "logins", run, false).await.map(Some) };
    let report = meter.report(&format!("login-tls-{}", secure.kind()), "logins", run, false).await?;
    Ok(Some(if secure.resumes() { report.with("resumed", secure.resumed()) } else { report }))
}

impl Client for Visitor {
    async fn step(&mut self) -> Result<u64, Failure> {
        let user = self.next % self.users + 1;
        self.next += 1;
        Imap::login(&self.target, user).await?.log_out().await?;
        Ok(1)
    }
}
