//! The server is killed with SIGKILL in the middle of deliveries, APPENDs, STOREs and EXPUNGEs, fifty times over. Whatever
//! it acknowledged must be there afterwards, once and unchanged; no UID may ever stand for two messages.

use harness::trial::Trial;
use harness::{Home, Server};

const ROUNDS: usize = 50;

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let mut trial = Trial::begin(Home::new(env!("CARGO_BIN_EXE_angarium"), &[]));
    for round in 0..ROUNDS {
        // Another moment every round, without asking a clock or a dice.
        trial = trial.round(5 + round * 7 % 40, true, Server::kill, |tally| tally);
    }
    // The starts after a kill say what they recovered.
    trial.end(&["mailbox.index.repaired", "store.recovered", "ledger.tail.cut"]);
}
