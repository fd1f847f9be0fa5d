//! A real process, really killed: what it acknowledged over a pipe is there afterwards.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use super::*;

/// Set for the child only: where its ledger is.
const CHILD: &str = "DURABLE_TEST_CHILD";

#[test]
fn killed_writers_lose_nothing_they_acknowledged() {
    if env::var_os(CHILD).is_some() {
        return;
    }
    let home = Home::new();
    drop(home.create());
    for round in 1..=5u64 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "ledger::tests::process::child", "--nocapture", "--ignored"])
            .env(CHILD, home.root.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut acknowledged = 0;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Killed in the middle of its work, at a different place each time.
        while acknowledged < round * 60 {
            let line = lines.next().expect("the child ended by itself").unwrap();
            if let Some(n) = line.strip_prefix("ack ") {
                acknowledged = n.parse().unwrap();
            }
        }
        child.kill().unwrap();
        for line in lines.map_while(Result::ok) {
            if let Some(n) = line.strip_prefix("ack ") {
                acknowledged = n.parse().unwrap_or(acknowledged);
            }
        }
        child.wait().unwrap();
        let (ledger, report) = home.open();
        assert!(report.rebuilt.is_none() && report.journal_renewed.is_none(), "{report:?}");
        let last = ledger.last_seq();
        assert!(last >= acknowledged, "{last} of {acknowledged}: {report:?}");
        check(&ledger, last);
    }
}

#[test]
#[ignore = "the child of the test above"]
fn child() {
    let Some(root) = env::var_os(CHILD).map(PathBuf::from) else { return };
    let (dir, copies) = (root.join("rows.db"), root.join("copies"));
    let (ledger, _) = Ledger::open(&dir, &copies, "rows", Arc::new(RealDisk), &Options::default()).unwrap();
    let mut out = std::io::stdout().lock();
    for n in ledger.last_seq() + 1.. {
        ledger.apply(batch(n)).unwrap();
        writeln!(out, "ack {n}").unwrap();
        if n % 25 == 0 {
            ledger.dump_now().unwrap();
        }
    }
}
