//! Every tool on a disk that dies, fills up, fails or forgets at every single change, and a second run on what is left: it
//! must lead to where an undisturbed run leads, and no mail may be lost on the way.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports trouble by panicking")]

mod accounts;
mod cases;
mod outside;
mod site;
mod transfer;

use std::sync::OnceLock;

use crashes::{End, Ends, World};
use rustix::io::Errno;
use tools::Exit;

use cases::{CASES, Case, READERS};
use site::{Site, Voice, outcome, prepare};

#[test]
fn a_second_run_ends_what_a_killed_tool_began() {
    let template = crashes::directory();
    prepare(template.path());
    let cut = End::PowerCut { seed: 0 };
    let ends = Ends::of(&[End::Crash { torn: 5 }]).and_in_turn(&[
        cut,
        End::Full,
        cut,
        End::Error(Errno::IO),
        cut,
        End::ReadOnly,
    ]);
    crashes::table("tool", CASES, |case| {
        // What an undisturbed run leads to; the first try is one.
        let expected = OnceLock::new();
        let damage = |world: &World| (case.damage)(world.path());
        let first = |world: &World, ()| first_run(case, world);
        let second = |world: &World, ()| {
            let context = format!("{} {world}", case.name);
            if !world.is_undisturbed() {
                let mut voice = Voice::at(world.path());
                let exit = work(case, world, &mut voice);
                assert!(case.succeeds(exit), "{context}: the second run ends with {exit:?}: {:?}", voice.err);
            }
            let found = outcome(world.path(), &context, case.twice);
            assert_eq!(&found, expected.get_or_init(|| found.clone()), "{context}");
        };
        crashes::every_step(case.name, template.path(), &ends, damage, first, second)
    });
}

/// The run in which the world ends. Where the process lives on, it ends with a code that says so, and with a reason.
fn first_run(case: &Case, world: &World) {
    let mut voice = Voice::at(world.path());
    let exit = work(case, world, &mut voice);
    if world.is_undisturbed() {
        assert!(case.succeeds(exit), "{exit:?}: {:?}", voice.err);
    } else if !world.dies() && !case.succeeds(exit) {
        let fits = [Exit::Found, Exit::Data, Exit::CantCreate, Exit::Io, Exit::TempFail];
        assert!(fits.contains(&exit), "{exit:?}: {:?}", voice.err);
        // Repairs of one mailbox among many say on standard output what they could not do.
        let why = ["No space left", "Input/output error", "Read-only file system"];
        let said = |line: &String| why.iter().any(|why| line.contains(why));
        assert!(
            voice.err.iter().chain(&voice.out).any(said),
            "{exit:?} without a reason: {:?} {:?}",
            voice.out,
            voice.err
        );
    }
}

/// Opens the store as the tool does, works, closes. An error of opening is said as the program says it.
fn work(case: &Case, world: &World, voice: &mut Voice) -> Exit {
    let site = match Site::open(world, case.salvages) {
        Ok(site) => site,
        Err(problem) => return voice.fails(Exit::TempFail, &problem),
    };
    let exit = (case.run)(&site, voice).unwrap_or_else(|problem| voice.fails(problem.exit(), &problem));
    let exit = match site.close() {
        Err(problem) if exit == Exit::Ok => voice.fails(Exit::TempFail, &problem),
        _ => exit,
    };
    world.acknowledged();
    exit
}

#[test]
fn what_only_looks_writes_nothing() {
    let template = crashes::directory();
    prepare(template.path());
    crashes::table("a tool that only looks", READERS, |case| {
        let open = |world: &World| {
            (case.damage)(world.path());
            Site::open(world, case.salvages).unwrap()
        };
        let look = |world: &World, site: Site| {
            (case.run)(&site, &mut Voice::at(world.path())).unwrap();
            assert_eq!(world.changes(), [""; 0], "it only looks");
            site
        };
        crashes::every_step(case.name, template.path(), &Ends::default(), open, look, |_, _| ())
    });
}
