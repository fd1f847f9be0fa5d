//! The paths that are counted.

mod commands;
mod deliver;
mod wake;

use std::error::Error;
use std::path::Path as FilePath;

use commands::Commands;

use benches::in_process::Server;

/// What clients ask for when they show a mailbox.
macro_rules! list_items {
    () => {
        "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)"
    };
}

/// Something that is done often enough to be worth counting.
pub(crate) struct Path {
    pub(crate) name: &'static str,
    /// As many as give some fifty million instructions: the background threads, which work by the clock, are noise
    /// beside them. Even, because commands alternate.
    pub(crate) rounds: u32,
    work: Work,
}

enum Work {
    Commands(Commands),
    Deliver,
    Wake,
}

/// All the paths, in the order of their names.
pub(crate) const PATHS: &[Path] = &[
    Path { name: "deliver", rounds: 200, work: Work::Deliver },
    Path {
        name: "fetch-list",
        rounds: 200,
        work: Work::Commands(Commands {
            messages: 100,
            alternately: [concat!("FETCH 1:* ", list_items!()), concat!("UID FETCH 1:100 ", list_items!())],
            untagged: 100,
        }),
    },
    Path {
        name: "fetch-one",
        rounds: 2000,
        work: Work::Commands(Commands {
            messages: 100,
            alternately: [concat!("FETCH 17 ", list_items!()), concat!("UID FETCH 80 ", list_items!())],
            untagged: 1,
        }),
    },
    Path {
        name: "noop",
        rounds: 3000,
        work: Work::Commands(Commands { messages: 100, alternately: ["NOOP", "noop"], untagged: 0 }),
    },
    Path {
        name: "search-from",
        rounds: 500,
        work: Work::Commands(Commands {
            messages: 1000,
            alternately: ["SEARCH FROM \"Correspondent 013\"", "UID SEARCH FROM p077@people"],
            untagged: 1,
        }),
    },
    Path {
        name: "select",
        rounds: 500,
        work: Work::Commands(Commands { messages: 200, alternately: ["SELECT INBOX", "SELECT Other"], untagged: 9 }),
    },
    Path {
        name: "store",
        rounds: 1000,
        work: Work::Commands(Commands {
            messages: 100,
            alternately: ["STORE 17 +FLAGS (\\Answered)", "STORE 17 -FLAGS (\\Answered)"],
            untagged: 1,
        }),
    },
    Path { name: "wake", rounds: 200, work: Work::Wake },
];

/// Does some rounds of a path, with a new store in `directory`.
pub(crate) fn run(name: &str, rounds: u32, directory: &FilePath) -> Result<(), Box<dyn Error>> {
    let path = PATHS.iter().find(|path| path.name == name).ok_or_else(|| format!("there is no path {name}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = Server::new(directory)?;
        match &path.work {
            Work::Commands(commands) => commands.run(&server, rounds).await,
            Work::Deliver => deliver::run(&server, rounds).await,
            Work::Wake => wake::run(&server, rounds).await,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each path checks its answers itself.
    #[test]
    fn every_path_can_be_run() {
        for path in PATHS {
            let directory = benches::in_process::directory().unwrap();
            run(path.name, 4, directory.path()).unwrap_or_else(|error| panic!("{}: {error}", path.name));
        }
    }

    #[test]
    fn paths_are_in_order_and_alternate_evenly() {
        assert!(PATHS.is_sorted_by(|one, next| one.name < next.name));
        assert!(PATHS.iter().all(|path| path.rounds.is_multiple_of(2)));
    }
}
