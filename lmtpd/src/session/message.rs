//! DATA and BDAT: the message itself, and a reply for each recipient.

use std::sync::Arc;

use tokio::time::Instant;
use tracing::{error, info};
use wire::ReadError;
use wire::framing::{DotFramer, DotPiece};

use super::{Chunks, End, Recipient, Recipients, Session, State};
use crate::delivery::{Addressee, Delivered, Outcome, deliver};
use crate::deposit::Deposit;
use crate::incoming::Incoming;
use crate::intake::Intake;
use crate::limits;
use crate::reply::{Refusal, Reply};
use crate::route::one_of_many;
use crate::syntax::{Address, BdatArguments};
use crate::trace::Trace;

impl<D: Deposit> Session<D> {
    /// `DATA`: reads to `CRLF . CRLF`, whatever becomes of the message.
    pub(super) async fn body(&mut self, state: State<D>) -> Result<State<D>, End> {
        let State::Recipients(recipients) = state else { return Ok(state) };
        let mut message = self.begin(recipients);
        self.put(&Reply::new(354, "", "End data with <CR><LF>.<CR><LF>"));
        let mut framer = DotFramer::default();
        let deadline = Instant::now() + limits::BODY_TIMEOUT;
        loop {
            let piece = tokio::time::timeout_at(deadline, self.conn.read_dot_piece(&mut framer));
            match piece.await.map_err(|_| ReadError::Timeout)?? {
                DotPiece::Data(octets) => message.incoming.push(octets).await,
                DotPiece::End => return self.complete(message).await,
            }
            if message.incoming.is_hopeless() {
                return Err(self.give_up(message, true).await);
            }
        }
    }

    /// `BDAT size [LAST]`: reads its octets, whatever becomes of them (RFC 3030, 2).
    pub(super) async fn chunk(&mut self, state: State<D>, chunk: BdatArguments) -> Result<State<D>, End> {
        let mut message = match state {
            State::Recipients(recipients) => Box::new(self.begin(recipients)),
            State::Chunks(message) => message,
            other => {
                self.discard(chunk.size).await?;
                return self.answer(no_recipients(), other);
            }
        };
        let deadline = Instant::now() + limits::BODY_TIMEOUT;
        let mut left = chunk.size;
        if message.incoming.size().saturating_add(left) > self.shared.settings.message_size {
            message.incoming.refuse(Refusal::TooBig);
            // Not after the first 256 MiB of it.
            if left > limits::DISCARD {
                return Err(self.give_up(*message, chunk.last).await);
            }
        }
        while left > 0 {
            let octets = tokio::time::timeout_at(deadline, self.conn.read_some(left));
            let octets = octets.await.map_err(|_| ReadError::Timeout)??;
            left = left.saturating_sub(octets.len() as u64);
            message.incoming.push(octets).await;
            if message.incoming.is_hopeless() {
                return Err(self.give_up(*message, chunk.last).await);
            }
        }
        if chunk.last {
            return self.complete(*message).await;
        }
        let reply = match message.incoming.refusal() {
            None => Reply::new(250, "2.0.0", format!("{} octets received", chunk.size)),
            Some(refusal) => refusal.reply(self.shared.settings.over_quota),
        };
        self.answer(reply, State::Chunks(message))
    }

    /// Refuses a message without reading it to its end, and closes. Why is said as if it had been read, for each recipient
    /// where these wait for it: 421 would make the client send for days what is never taken.
    async fn give_up(&mut self, message: Chunks<D>, last: bool) -> End {
        self.conn.leave_unread();
        if last {
            return self.complete(message).await.err().unwrap_or(End::Closed);
        }
        let refusal = message.incoming.refusal().unwrap_or(Refusal::TooBig);
        self.close(&refusal.reply(self.shared.settings.over_quota))
    }

    /// Begins a message for these recipients.
    fn begin(&self, recipients: Recipients) -> Chunks<D> {
        let (settings, deposit) = (&self.shared.settings, &self.shared.deposit);
        let delivery = self.new_delivery();
        let trace = Trace {
            sender: recipients.sender.from.as_ref(),
            client: &recipients.sender.greeted.client,
            info: self.conn.info(),
            utf8: recipients.sender.utf8,
            authenticated: self.user.is_some(),
            host: &settings.host_name,
            delivery: &delivery,
            recipient: match &recipients.accepted[..] {
                [only] => Some(&only.address),
                _ => None,
            },
            time: &jiff::Zoned::now(),
        };
        let intake = Intake::new(trace.to_header(), settings.bare_line_ends);
        // A stage is of one partition: the first recipient's. The store copies for those on others.
        let first = recipients.accepted.first().and_then(|recipient| recipient.addressees.first());
        let stage = match first {
            Some(addressee) => deposit.stage(&addressee.route.mailbox),
            None => Err(mailstore::Error::Invalid("no recipients".to_owned())),
        };
        Chunks { incoming: Incoming::new(stage, intake, settings.message_size), recipients, delivery }
    }

    /// Delivers a message that has come to its end, and answers for each recipient.
    async fn complete(&mut self, message: Chunks<D>) -> Result<State<D>, End> {
        let Chunks { recipients: Recipients { sender, accepted }, incoming, delivery } = message;
        let received = incoming.size();
        let (recipients, addressees) = split(accepted);
        let outcome = match incoming.finish().await {
            Err(refusal) => Outcome { results: vec![Err(refusal); addressees.len()], size: received, message_id: None },
            Ok(stage) => {
                let shared = Arc::clone(&self.shared);
                let count = addressees.len();
                let delivered = wire::work::blocking(move || {
                    let suppress = shared.settings.suppress_duplicates;
                    deliver(&shared.deposit, &shared.in_flight, suppress, stage, &addressees)
                });
                delivered.await.unwrap_or_else(|panic| {
                    error!(event = "lmtp.delivery.panicked", delivery, error = %panic);
                    let refusal = Refusal::Store(mailstore::ErrorKind::Io);
                    Outcome { results: vec![Err(refusal); count], size: received, message_id: None }
                })
            }
        };
        let mut copies = outcome.results.iter();
        for (_, count) in &recipients {
            let reply = match one_of_many(copies.by_ref().take(*count).copied()) {
                Ok(how) => {
                    self.shared.meters.deliveries.delivered(how);
                    match how {
                        Delivered::As(_) => Reply::new(250, "2.1.5", format!("Ok, delivered as {delivery}")),
                        Delivered::Duplicate => Reply::new(250, "2.1.5", "Ok, came before"),
                    }
                }
                Err(refusal) => {
                    let reply = refusal.reply(self.shared.settings.over_quota);
                    self.shared.meters.deliveries.refused(&reply);
                    reply
                }
            };
            self.put(&reply);
        }
        // The client has its replies before anything else is done: late ones make it send the message again.
        self.conn.flush().await.map_err(ReadError::from)?;
        self.messages += 1;
        self.commands = 0;
        self.log(&delivery, sender.from.as_ref(), &recipients, &outcome);
        Ok(State::Greeted(sender.greeted))
    }

    /// One line for the message, one for each copy.
    fn log(&self, delivery: &str, sender: Option<&Address>, recipients: &[(Address, usize)], outcome: &Outcome) {
        let conn = self.conn.info().id;
        let sender = sender.map(Address::to_string).unwrap_or_default();
        let count =
            |wanted: fn(&Result<Delivered, Refusal>) -> bool| outcome.results.iter().filter(|r| wanted(r)).count();
        let message_id = outcome.message_id.as_deref().unwrap_or_default();
        info!(
            event = "lmtp.message.received",
            conn,
            delivery,
            sender,
            message_id,
            size = outcome.size,
            delivered = count(|result| matches!(result, Ok(Delivered::As(_)))),
            duplicates = count(|result| matches!(result, Ok(Delivered::Duplicate))),
            refused = count(Result::is_err),
        );
        let of_copies = recipients.iter().flat_map(|(recipient, count)| std::iter::repeat_n(recipient, *count));
        for (recipient, result) in of_copies.zip(&outcome.results) {
            match result {
                Ok(Delivered::As(uid)) => info!(event = "lmtp.recipient.delivered", conn, delivery, %recipient, %uid),
                Ok(Delivered::Duplicate) => {
                    info!(event = "lmtp.recipient.duplicate", conn, delivery, %recipient, message_id)
                }
                Err(refusal) => {
                    info!(event = "lmtp.recipient.refused", conn, delivery, sender, %recipient, reason = refusal.name())
                }
            }
        }
    }

    /// Reads octets for nothing.
    async fn discard(&mut self, size: u64) -> Result<(), End> {
        if size > limits::DISCARD {
            let settings = &self.shared.settings;
            let reply = match size > settings.message_size {
                true => Refusal::TooBig.reply(settings.over_quota),
                false => no_recipients(),
            };
            self.conn.leave_unread();
            return Err(self.close(&reply));
        }
        let deadline = Instant::now() + limits::BODY_TIMEOUT;
        let mut left = size;
        while left > 0 {
            let octets = tokio::time::timeout_at(deadline, self.conn.read_some(left));
            left = left.saturating_sub(octets.await.map_err(|_| ReadError::Timeout)??.len() as u64);
        }
        Ok(())
    }
}

/// BDAT where there is nobody to deliver to.
fn no_recipients() -> Reply {
    Reply::sequence("No valid recipients")
}

/// Recipients with the number of their copies, and the copies' addressees.
fn split(accepted: Vec<Recipient>) -> (Vec<(Address, usize)>, Vec<Addressee>) {
    let mut addressees = Vec::with_capacity(accepted.len());
    let counted = accepted.into_iter().map(|recipient| {
        let count = recipient.addressees.len();
        addressees.extend(recipient.addressees);
        (recipient.address, count)
    });
    (counted.collect(), addressees)
}
