//! The server is killed with SIGKILL in the middle of deliveries, APPENDs, STOREs and EXPUNGEs, fifty times over. Whatever
//! it acknowledged must be there afterwards, once and unchanged; no UID may ever stand for two messages.

use harness::Home;
use harness::load::{Ledger, Tally, USERS};

const ROUNDS: usize = 50;

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let home = Home::new(env!("CARGO_BIN_EXE_angarium"), &[]);
    for user in USERS {
        home.add_user(user);
    }
    let mut ledger = Ledger::default();
    let mut server = home.start();
    Ledger::prepare(&server);
    let mut tally = Tally::default();
    for round in 0..ROUNDS {
        let load = ledger.load(&server);
        // Another moment every round, without asking a clock or a dice.
        load.await_acknowledged(5 + round * 7 % 40);
        server.kill();
        load.finish();
        server = home.start();
        tally = ledger.compare(&server, true);
        let clean = Tally { acknowledged: tally.acknowledged, ..Tally::default() };
        assert_eq!(tally, clean, "after round {}\n{}", round + 1, server.log());
    }
    println!("rounds {ROUNDS}, acknowledged {}, lost {}, doubled {}", tally.acknowledged, tally.lost, tally.doubled);
    // The starts after a kill say what they recovered.
    server.stop(&["mailbox.index.repaired".to_owned(), "store.recovered".to_owned(), "ledger.tail.cut".to_owned()]);
    home.check_store();
}
