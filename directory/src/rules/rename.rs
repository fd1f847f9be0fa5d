//! What a row looks like when a domain has another name. Pure functions: the embedded directory applies them to millions of
//! rows, and once more after a crash.

use crate::address::Address;
use crate::alias::Alias;
use crate::domain::DomainName;
use crate::junk::JunkException;
use crate::privileges::Privileges;
use crate::remote::RemoteAddress;
use crate::user::User;

/// A domain's old and new name.
#[derive(Clone, Copy, Debug)]
pub struct Renaming<'a> {
    /// The name until now.
    pub from: &'a DomainName,
    /// The name from now on.
    pub to: &'a DomainName,
}

impl Renaming<'_> {
    /// An address that follows.
    #[must_use]
    pub fn address(&self, address: &Address) -> Option<Address> {
        (address.domain() == self.from).then(|| address.at(self.to.clone()))
    }

    /// A user who follows: the own addresses, where mail is forwarded to, and senders that the junk filter names. Nothing if
    /// nothing changes.
    #[must_use]
    pub fn user(&self, user: &User) -> Option<User> {
        let forwards = |user: &User| {
            user.forwarding.as_ref().is_some_and(|forwarding| forwarding.to.iter().any(|to| to.domain() == self.from))
        };
        let filters = |user: &User| user.junk_filter.as_ref().is_some_and(|filter| self.names(&filter.exceptions));
        if user.mail.domain() != self.from && !forwards(user) && !filters(user) {
            return None;
        }
        let mut renamed = user.clone();
        for address in renamed.alternates.iter_mut().chain([&mut renamed.mail]) {
            self.replace(address);
        }
        if let Some(forwarding) = &mut renamed.forwarding {
            forwarding.to.iter_mut().for_each(|to| self.replace_remote(to));
        }
        if let Some(filter) = &mut renamed.junk_filter {
            self.replace_senders(&mut filter.exceptions);
        }
        Some(renamed)
    }

    /// The global record, where its exceptions follow. Nothing if nothing changes.
    #[must_use]
    pub fn privileges(&self, privileges: &Privileges) -> Option<Privileges> {
        self.names(&privileges.junk_exceptions).then(|| {
            let mut renamed = privileges.clone();
            self.replace_senders(&mut renamed.junk_exceptions);
            renamed
        })
    }

    /// An alias that follows: its address, the aliases it names, and addresses that point into the domain. Nothing if nothing
    /// changes.
    #[must_use]
    pub fn alias(&self, alias: &Alias) -> Option<Alias> {
        let names = alias.aliases.iter().any(|address| address.domain() == self.from);
        let points = alias.remote.iter().any(|address| address.domain() == self.from);
        if alias.address.domain() != self.from && !names && !points {
            return None;
        }
        let mut renamed = alias.clone();
        self.replace(&mut renamed.address);
        renamed.aliases.iter_mut().for_each(|address| self.replace(address));
        renamed.remote.iter_mut().for_each(|address| self.replace_remote(address));
        Some(renamed)
    }

    /// Whether one of the senders is in the domain, or all of them are meant.
    fn names(&self, exceptions: &[JunkException]) -> bool {
        exceptions.iter().any(|exception| exception.pattern.domain() == self.from)
    }

    fn replace_senders(&self, exceptions: &mut Vec<JunkException>) {
        for exception in exceptions.iter_mut().filter(|exception| exception.pattern.domain() == self.from) {
            exception.pattern = exception.pattern.at(self.to.clone());
        }
        // The new name may have been among them, before it was one of ours: what is allowed comes first, and stays.
        exceptions.sort_unstable();
        exceptions.dedup_by(|later, first| later.pattern == first.pattern);
    }

    fn replace(&self, address: &mut Address) {
        if let Some(new) = self.address(address) {
            *address = new;
        }
    }

    fn replace_remote(&self, address: &mut RemoteAddress) {
        if address.domain() == self.from {
            *address = address.at(self.to.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alias::Member;
    use crate::forwarding::Forwarding;
    use crate::junk::JunkFilter;
    use crate::user::UserId;

    /// [DOM-9]
    #[test]
    fn everything_with_the_name_in_it_follows() {
        let (from, to) = (DomainName::parse("old.example").unwrap(), DomainName::parse("new.example").unwrap());
        let renaming = Renaming { from: &from, to: &to };
        let at = |text: &str| Address::parse(text).unwrap();
        let far = |text: &str| RemoteAddress::parse(text).unwrap();
        let mut joe = User::new(UserId::parse("joe").unwrap(), at("j.smith@old.example"), "Joe", "Smith");
        joe.alternates = vec![at("joe@old.example")];
        joe.forwarding =
            Some(Box::new(Forwarding { to: vec![far("Sue@old.example"), far("x@y.example")], keep_copy: true }));
        let renamed = renaming.user(&joe).unwrap();
        assert_eq!((renamed.mail, renamed.alternates), (at("j.smith@new.example"), vec![at("joe@new.example")]));
        assert_eq!(renamed.forwarding.unwrap().to, [far("Sue@new.example"), far("x@y.example")]);

        let other = User::new(UserId::parse("sue").unwrap(), at("sue@else.example"), "Sue", "Ott");
        assert_eq!(renaming.user(&other), None);
        let forwarding = Forwarding { to: vec![far("a@old.example")], keep_copy: false };
        let forwards = User { forwarding: Some(Box::new(forwarding)), ..other };
        assert_eq!(renaming.user(&forwards).unwrap().forwarding.unwrap().to, [far("a@new.example")]);

        let exceptions = |texts: &[(&str, &str)]| -> Vec<JunkException> {
            texts.iter().map(|(pattern, decision)| JunkException::parse("x", 0, pattern, decision).unwrap()).collect()
        };
        let before =
            [("a@old.example", "deny"), ("x.old.example", "deny"), ("old.example", "allow"), ("new.example", "deny")];
        let after = exceptions(&[("a@new.example", "deny"), ("new.example", "allow"), ("x.old.example", "deny")]);
        let filter = JunkFilter { exceptions: exceptions(&before), ..JunkFilter::default() };
        let mut filters = User::new(UserId::parse("tom").unwrap(), at("tom@else.example"), "Tom", "Ott");
        filters.junk_filter = Some(Box::new(filter.clone()));
        assert_eq!(renaming.user(&filters).unwrap().junk_filter.unwrap().exceptions, after);
        let mut record = Privileges::default();
        assert_eq!(renaming.privileges(&record), None);
        record.junk_exceptions = filter.exceptions;
        assert_eq!(renaming.privileges(&record).unwrap().junk_exceptions, after);

        let mut alias = Alias::new(at("all@else.example"));
        assert_eq!(renaming.alias(&alias), None);
        alias.add(Member::Alias(at("some@old.example")));
        alias.add(Member::Remote(far("B@old.example")));
        let renamed = renaming.alias(&alias).unwrap();
        assert_eq!(renamed.address, alias.address);
        assert_eq!((renamed.aliases, renamed.remote), (vec![at("some@new.example")], vec![far("B@new.example")]));
        let own = renaming.alias(&Alias::new(at("x@old.example"))).unwrap();
        assert_eq!(own.address, at("x@new.example"));
    }
}
