//! Ends the world at every step of an operation.
//!
//! A trial is a store (a template directory, copied for every try), an operation on it, and a judge of what is left. The
//! operation is run once undisturbed to count the changes it makes to the disk: writes, syncs, links, renames, unlinks,
//! directories. Then it is run again for each of them, and each way in which the world can end there ([`End`]).
//!
//! Failures are counted, not only met: the table that [`table`] prints says how often the world ended, and how often what
//! was left was not what it must be. Power cuts choose what of the unsynced changes survives by a seed, another one at every
//! run; it is printed, and `CRASH_SEED=...` repeats it. `CRASH_ONLY=...` runs only the operations whose names contain that.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "this crate is linked into tests only; they report trouble by panicking"
)]

mod ends;
mod world;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use world::AFTER;

pub use ends::{End, Ends, seed};
pub use world::{World, copy_tree, directory};

/// What came of ending the world at every step of one operation.
#[derive(Debug, Default)]
pub struct Row {
    /// The operation.
    pub name: String,
    /// How many changes it makes to the disk.
    pub steps: u64,
    /// How often the world ended.
    pub tried: u64,
    /// What was wrong afterwards, each with the step and the end it came of.
    pub failures: Vec<String>,
}

/// Runs an operation once undisturbed, then with every one of `ends` at each of its steps, then with power cuts after the
/// last one.
///
/// `open` prepares on the disk of the try what is not part of the operation; `operate` is the operation, whose changes are
/// counted, and drops what it was given; `judge` looks at what is left, on a disk in good order, with whatever `operate`
/// remembers.
pub fn every_step<S, R>(
    name: &str,
    template: &Path,
    ends: &Ends,
    open: impl Fn(&World) -> S,
    operate: impl Fn(&World, S) -> R,
    judge: impl Fn(&World, R),
) -> Row {
    let once = |end: Option<(u64, End)>| {
        let mut world = World::new(template, end);
        let subject = open(&world);
        world.arm();
        let outcome = operate(&world, subject);
        world.end();
        judge(&world, outcome);
        world.steps()
    };
    let mut row = Row { name: name.to_owned(), ..Row::default() };
    if std::env::var("CRASH_ONLY").is_ok_and(|only| !name.contains(&only)) {
        return row;
    }
    match catch_unwind(AssertUnwindSafe(|| once(None))) {
        Ok(steps) => row.steps = steps,
        Err(panic) => row.failures.push(format!("{name}, undisturbed: {}", text(&*panic))),
    }
    let at_steps = (1..=row.steps).flat_map(|step| ends.at(step).into_iter().map(move |end| (step, end)));
    let after = ends.last_power_cuts().into_iter().map(|end| (AFTER, end));
    for end in at_steps.chain(after) {
        row.tried += 1;
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| once(Some(end)))) {
            row.failures.push(format!("{name}, {} steps, {end:?}: {}", row.steps, text(&*panic)));
        }
    }
    row
}

/// Runs trials side by side, since what most of them wait for is the disk; prints what came of them, and fails the test if
/// any of them failed.
#[track_caller]
pub fn table<C: Sync>(title: &str, cases: &[C], run: impl Fn(&C) -> Row + Sync) {
    let rows: Vec<Row> = std::thread::scope(|scope| {
        let running: Vec<_> = cases.iter().map(|case| scope.spawn(|| run(case))).collect();
        running.into_iter().map(|case| case.join().expect("a trial catches its panics")).collect()
    });
    println!("{title:<52} | {:>5} | {:>5} | failures    seed {}", "steps", "ended", seed());
    for row in &rows {
        println!("{:<52} | {:>5} | {:>5} | {:>8}", row.name, row.steps, row.tried, row.failures.len());
    }
    let failures: Vec<&str> = rows.iter().flat_map(|row| &row.failures).map(String::as_str).collect();
    let some = &failures[..failures.len().min(10)];
    assert!(failures.is_empty(), "CRASH_SEED={}: {} failures, such as\n{}", seed(), failures.len(), some.join("\n"));
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a text")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replace(careful: bool) -> Row {
        let template = directory();
        std::fs::write(template.path().join("f"), "old").unwrap();
        let ends = Ends::of(&[End::Crash { torn: 1 }, End::Full]).and_power_cuts(8);
        let operate = |world: &World, ()| {
            let (disk, file) = (world.disk(), world.path().join("f"));
            if careful {
                return disk.replace_file(&file, b"new");
            }
            // The classic mistake: the name may be durable before the bytes are.
            let temporary = world.path().join("t");
            let made = disk.create_new(&temporary)?;
            disk.write_at(&made, b"new", 0)?;
            disk.rename(&temporary, &file)?;
            disk.sync_dir(world.path())
        };
        let judge = |world: &World, done: durable::disk::Result<()>| {
            let content = std::fs::read_to_string(world.path().join("f")).unwrap();
            assert!(content == "new" || (done.is_err() && content == "old"), "{content:?} after {done:?}");
        };
        every_step("replace", template.path(), &ends, |_| (), operate, judge)
    }

    #[test]
    fn what_is_careful_passes_and_what_is_not_is_found() {
        let (careful, careless) = (replace(true), replace(false));
        assert_eq!((careful.steps, careful.tried, careful.failures), (5, 58, vec![]));
        assert_eq!((careless.steps, careless.tried), (4, 48));
        assert!(!careless.failures.is_empty(), "a power cut shows it");
    }
}
