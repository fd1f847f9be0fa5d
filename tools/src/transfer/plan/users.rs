//! Users of a file: new ones, and those who are there.

use directory::{Address, Credentials, Error, NewUser, User, UserState};

use super::{Action, Change, Planner, Replaced};
use crate::CommandError;
use crate::accounts;
use crate::apply::differences::between;
use crate::transfer::problem::Problem;
use crate::transfer::rows::UserRow;

impl Planner<'_, '_> {
    pub(super) fn user(&mut self, row: &UserRow) -> Result<(), CommandError> {
        match self.service.user(&row.uid)?.filter(|now| is_there(now)) {
            Some(now) => self.old_user(row, &now),
            None => Ok(self.new_user(row)?),
        }
    }

    fn new_user(&mut self, row: &UserRow) -> Result<(), Error> {
        let (uid, Some(mail)) = (row.uid.clone(), row.said.mail.clone()) else {
            self.problems.push(Problem::new(row.line, "mail", "it must be given"));
            return Ok(());
        };
        let name = |name: &Option<String>| name.clone().unwrap_or_default();
        let (given_name, surname) = (name(&row.said.given_name), name(&row.said.surname));
        let mut base = User::from(NewUser { uid, mail, given_name, surname, admin: false });
        base.quota_limit_mib = self.default_quota;
        let user = row.over(base);
        let uid = user.uid.clone();
        let new = (user, row.credentials.clone().unwrap_or_else(Credentials::none));
        let made = self.service.create_users_among(std::slice::from_ref(&new), &self.plan.coming);
        let made = made.and_then(|()| self.service.activate_users(std::slice::from_ref(&uid)));
        if self.note(row.line, made)? {
            self.plan.users.push(new);
        }
        Ok(())
    }

    fn old_user(&mut self, row: &UserRow, now: &User) -> Result<(), CommandError> {
        let wanted = row.over(now.clone());
        let mut differs = between(now, &wanted);
        if wanted.state != now.state {
            differs = [differs, "state".to_owned()]
                .into_iter()
                .filter(|text| !text.is_empty())
                .collect::<Vec<_>>()
                .join("; ");
        }
        let credentials = match &row.credentials {
            Some(given) => {
                let kept = directory::look(self.directory, |view| view.credentials(&row.uid))?;
                (!kept.is_some_and(|kept| is_same(&kept, given))).then(|| given.clone())
            }
            None => None,
        };
        let is_equal = wanted == *now;
        if is_equal && self.request.replace && !accounts::is_followed(self.store, now) {
            self.change(row, "quota", Action::Quota(row.uid.clone()));
        }
        if is_equal && credentials.is_none() {
            self.plan.equal += 1;
            return Ok(());
        }
        if credentials.is_some() {
            differs = if differs.is_empty() { "password".to_owned() } else { format!("{differs}; password") };
        }
        if !self.may_replace(row.line, &format!("the user {}", row.uid), &differs) {
            return Ok(());
        }
        if !is_equal {
            self.change(row, &differs, Action::User(Box::new(Replaced { now: now.clone(), wanted })));
        }
        if let Some(credentials) = credentials {
            self.change(row, "password", Action::Credentials(row.uid.clone(), credentials));
        }
        Ok(())
    }

    fn change(&mut self, row: &UserRow, what: &str, action: Action) {
        let text = format!("~ user {}: {what}", row.uid);
        self.plan.changes.push(Change { line: row.line, text, action });
    }

    /// Whether mail of a new user is forwarded to somebody, now that all are there.
    pub(super) fn forwarding(&mut self, row: &UserRow) -> Result<(), Error> {
        for to in row.said.forwarding.iter().flatten().flat_map(|forwarding| &forwarding.to) {
            let Ok(here) = Address::new(to.local(), to.domain().clone()) else { continue };
            if self.plan.coming.contains(&here)
                && self.service.look(|view| view.owner(here.local(), here.domain()))?.is_none()
            {
                let rule = "nobody has that address on this server";
                self.problems.push(Problem::of(row.line, &Error::rule("forwarding", to.to_string(), rule)));
            }
        }
        Ok(())
    }
}

/// One whose mailbox is not there yet is made again; one on the way out is in the way.
pub(super) fn is_there(user: &User) -> bool {
    matches!(user.state, UserState::Active | UserState::Disabled)
}

/// Whether the same is kept of two users' passwords.
fn is_same(a: &Credentials, b: &Credentials) -> bool {
    let written = |credentials| serde_json::to_string(credentials).ok();
    written(a) == written(b)
}
