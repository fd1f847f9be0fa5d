//! MAIL and RCPT: who sends, and who gets a copy.

use std::sync::Arc;

use mailstore::Access;
use tracing::info;

use super::{Greeted, Next, Recipient, Recipients, Sender, Session, Shared, State};
use crate::delivery::Addressee;
use crate::deposit::{Deposit, Quota};
use crate::limits;
use crate::reply::{Refusal, Reply};
use crate::route::{Route, one_of_many, resolve, route};
use crate::syntax::{Address, MailParameters, RcptParameters, SyntaxError, forward_path, reverse_path};

impl<D: Deposit> Session<D> {
    /// `MAIL FROM:<address> [parameters]`
    pub(super) async fn mail(&mut self, greeted: Greeted, arguments: &str) -> (State<D>, Next) {
        let (from, parameters) = match parse_mail(arguments) {
            Ok(parsed) => parsed,
            Err(error) => return (State::Greeted(greeted), Next::Reply(error.reply())),
        };
        let settings = &self.shared.settings;
        if parameters.size > settings.message_size {
            let reply = Refusal::TooBig.reply(settings.over_quota);
            return (State::Greeted(greeted), Next::Reply(reply));
        }
        let submitter = self.submitter(parameters.submitter).await;
        let sender = Sender { greeted, from, submitter, utf8: parameters.utf8, size: parameters.size, attempts: 0 };
        (State::Sender(sender), Next::Reply(Reply::new(250, "2.1.0", "Ok")))
    }

    /// `RCPT TO:<address> [parameters]`
    pub(super) async fn rcpt(&mut self, mut recipients: Recipients, arguments: &str) -> (State<D>, Next) {
        recipients.sender.attempts += 1;
        if recipients.sender.attempts > limits::RECIPIENT_ATTEMPTS {
            return (recipients.into_state(), Next::Close(Reply::closing("4.7.0", "Too many recipients")));
        }
        let (to, parameters) = match parse_rcpt(arguments, recipients.sender.utf8) {
            Ok(parsed) => parsed,
            Err(error) => return (recipients.into_state(), Next::Reply(error.reply())),
        };
        if recipients.accepted.len() >= limits::RECIPIENTS {
            return (recipients.into_state(), Next::Reply(Reply::new(452, "4.5.3", "Too many recipients")));
        }
        let settings = &self.shared.settings;
        let quota = match (parameters.ignore_quota, settings.strict_quota) {
            (true, _) => Quota::Ignore,
            (false, true) => Quota::With,
            (false, false) => Quota::Before,
        };
        match self.find_mailboxes(&to, &recipients.sender, quota).await {
            Ok(routes) => {
                let addressees = routes.into_iter().map(|route| Addressee { route, quota }).collect();
                recipients.accepted.push(Recipient { address: to, addressees });
                (State::Recipients(recipients), Next::Reply(Reply::new(250, "2.1.5", "Ok")))
            }
            Err(refusal) => {
                let sender = recipients.sender.from.as_ref().map(Address::to_string).unwrap_or_default();
                info!(event = "lmtp.recipient.refused", conn = self.conn.info().id, sender, recipient = %to, reason = refusal.name());
                let reply = refusal.reply(settings.over_quota);
                self.shared.meters.deliveries.refused(&reply);
                (recipients.into_state(), Next::Reply(reply))
            }
        }
    }

    /// The mailboxes of a recipient that take mail now; at least one. Leaves the reactor where the directory is far away or
    /// a quota has to be counted up.
    async fn find_mailboxes(&self, to: &Address, sender: &Sender, quota: Quota) -> Result<Vec<Route>, Refusal> {
        let Shared { deposit, settings, .. } = &*self.shared;
        if deposit.resolves_from_memory() {
            let routes = route(deposit, settings, to, &sender.submitter);
            if routes.iter().flatten().all(|route| deposit.knows_room(&route.mailbox)) {
                return with_room(deposit, routes, sender.size, quota);
            }
        }
        let (shared, to, submitter, size) =
            (Arc::clone(&self.shared), to.clone(), sender.submitter.clone(), sender.size);
        let found = wire::work::blocking(move || {
            let routes = route(&shared.deposit, &shared.settings, &to, &submitter);
            with_room(&shared.deposit, routes, size, quota)
        });
        found.await.unwrap_or_else(|panic| {
            tracing::error!(event = "lmtp.recipient.panicked", error = %panic);
            Err(Refusal::DirectoryDown)
        })
    }

    /// As whom a message is posted. RFC 4954, 5: an identity that we have no reason to trust is as good as `<>`; who says
    /// nothing speaks for himself.
    async fn submitter(&self, told: Option<String>) -> Access {
        let own = self.user.as_ref().map(|user| &user.access);
        let Some(identity) = told else { return own.cloned().unwrap_or_else(Access::anonymous) };
        if identity.is_empty() || !(own.is_some() || self.trusts_submitter()) {
            return Access::anonymous();
        }
        let found = self.who(identity).await;
        if self.trusts_submitter() || own.is_some_and(|own| own.user == found.user) {
            found
        } else {
            Access::anonymous()
        }
    }

    /// The user behind an identity: an address, or a user ID. One that is not ours is nobody we know.
    async fn who(&self, identity: String) -> Access {
        let shared = Arc::clone(&self.shared);
        let resolved = wire::work::blocking(move || {
            let (local, domain) = identity.rsplit_once('@').map_or((identity.as_str(), None), |(l, d)| (l, Some(d)));
            match resolve(&shared.deposit, local, domain).as_deref() {
                Ok([user]) => shared.deposit.access(user),
                _ => Access::anonymous(),
            }
        });
        resolved.await.unwrap_or_else(|_| Access::anonymous())
    }
}

/// Those of a recipient's mailboxes that have room for a message of `size` octets; at least one.
fn with_room(
    deposit: &impl Deposit,
    routes: Vec<Result<Route, Refusal>>,
    size: u64,
    quota: Quota,
) -> Result<Vec<Route>, Refusal> {
    let has_room = |route: Route| match deposit.has_room(&route.mailbox, size, quota) {
        true => Ok(route),
        false => Err(Refusal::OverQuota),
    };
    let routes: Vec<_> = routes.into_iter().map(|route| route.and_then(has_room)).collect();
    one_of_many(routes.iter().map(|route| route.as_ref().map(drop).map_err(|refusal| *refusal)))?;
    Ok(routes.into_iter().flatten().collect())
}

impl Recipients {
    /// The state that this is: without a recipient accepted it is still [`Sender`].
    fn into_state<D: Deposit>(self) -> State<D> {
        if self.accepted.is_empty() { State::Sender(self.sender) } else { State::Recipients(self) }
    }
}

fn parse_mail(arguments: &str) -> Result<(Option<Address>, MailParameters), SyntaxError> {
    let (from, rest) = reverse_path(arguments)?;
    let parameters = MailParameters::parse(rest)?;
    check_utf8(from.as_ref(), parameters.utf8)?;
    Ok((from, parameters))
}

fn parse_rcpt(arguments: &str, utf8: bool) -> Result<(Address, RcptParameters), SyntaxError> {
    let (to, rest) = forward_path(arguments)?;
    let parameters = RcptParameters::parse(rest)?;
    check_utf8(Some(&to), utf8)?;
    Ok((to, parameters))
}

/// RFC 6531, 3.5: addresses beyond ASCII need SMTPUTF8.
fn check_utf8(address: Option<&Address>, utf8: bool) -> Result<(), SyntaxError> {
    if utf8 || address.is_none_or(Address::is_ascii) { Ok(()) } else { Err(SyntaxError::NeedsUtf8) }
}
