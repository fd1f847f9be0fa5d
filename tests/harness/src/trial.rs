//! A server under traffic that is cut short again and again, and what must be left of its promises each time.

use crate::load::{Ledger, Tally, USERS};
use crate::{Home, Server};

/// A server, its traffic, and the ledger of what it has promised.
pub struct Trial {
    home: Home,
    server: Server,
    ledger: Ledger,
    rounds: usize,
    /// What the last comparison found.
    tally: Tally,
}

impl Trial {
    /// Starts a server in `home`, with the users and mailboxes that the traffic needs.
    pub fn begin(home: Home) -> Self {
        for user in USERS {
            home.add_user(user);
        }
        let server = home.start();
        Ledger::prepare(&server);
        Self { home, server, ledger: Ledger::default(), rounds: 0, tally: Tally::default() }
    }

    /// Lets traffic run until so many messages have been acknowledged, has the server `cut` short, starts it again and
    /// compares. `forgiven` says what of the comparison's result was not promised: it returns the tally without that.
    pub fn round(
        mut self,
        acknowledged: usize,
        flags: bool,
        cut: impl FnOnce(Server),
        forgiven: impl FnOnce(Tally) -> Tally,
    ) -> Self {
        let load = self.ledger.load(&self.server);
        load.await_acknowledged(acknowledged);
        cut(self.server);
        load.finish();
        self.server = self.home.start();
        self.rounds += 1;
        self.tally = self.ledger.compare(&self.server, flags);
        let clean = Tally { acknowledged: self.tally.acknowledged, ..Tally::default() };
        assert_eq!(forgiven(self.tally), clean, "after round {}\n{}", self.rounds, self.server.log());
        self
    }

    /// Stops the server, whose log may say no trouble but what contains one of the `announced` texts, and checks its
    /// store.
    pub fn end(self, announced: &[&str]) {
        let Tally { acknowledged, lost, doubled, .. } = self.tally;
        println!("rounds {}, acknowledged {acknowledged}, lost {lost}, doubled {doubled}", self.rounds);
        let announced: Vec<String> = announced.iter().map(|text| (*text).to_owned()).collect();
        self.server.stop(&announced);
        self.home.check_store();
    }
}
