//! Where the files of an open mailbox are while it is renamed or moved, and waiting for that to end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::{RwLockReadGuard, RwLockWriteGuard};

use crate::mailbox::Mailbox;

/// How long a directory may be on its way: a rename and some syncs.
const MOVE_TAKES: Duration = Duration::from_secs(2);

impl Mailbox {
    /// The files are about to be moved: as long as the guard lives no others are linked, lest one is left behind, and nobody
    /// works on them by their paths. Waits for who does.
    pub(crate) fn begin_move(self: &Arc<Self>) -> Moving<'_> {
        let nobody_works = self.place.write();
        let _nobody_links = self.state.write();
        self.moving.fetch_add(1, Ordering::AcqRel);
        Moving { mailbox: self, _nobody_works: nobody_works }
    }

    /// The files stay where [`dir`](Self::dir) says as long as the guard lives. Nothing if they are gone. Its holder waits for
    /// nobody who moves something.
    pub(super) fn stay(&self) -> Option<RwLockReadGuard<'_, ()>> {
        let stays = self.place.read();
        (!self.is_gone()).then_some(stays)
    }

    /// Waits until the mailbox, whose directory was not at `old`, has another one. `false` if it gets none.
    pub(super) fn await_move(&self, old: &Path) -> bool {
        let mut waiting = self.moves.lock();
        loop {
            if self.is_gone() {
                return false;
            }
            if self.identity.read().dir != old {
                return true;
            }
            if self.moved.wait_for(&mut waiting, MOVE_TAKES).timed_out() {
                return false;
            }
        }
    }

    /// Waits until the files are where [`dir`](Self::dir) says. A move ends, one way or the other.
    pub(super) fn await_rest(&self) {
        let mut waiting = self.moves.lock();
        while self.is_moving() {
            self.moved.wait(&mut waiting);
        }
    }

    pub(super) fn is_moving(&self) -> bool {
        self.moving.load(Ordering::Acquire) % 2 == 1
    }

    /// Where the files are. What is done with their paths has happened to this mailbox if this is the same afterwards: it may
    /// have moved away and back, and another one may have had its directory meanwhile.
    pub(super) fn whereabouts(&self) -> Whereabouts {
        // In this order: a move that begins in between shows afterwards.
        let moves = self.moving.load(Ordering::Acquire);
        Whereabouts { moves, dir: self.dir() }
    }

    /// What `look` finds in the mailbox's directory, or nothing when the files were all there and it found nothing. Waits for
    /// files on their way if they are missed.
    pub(super) fn at_rest<T>(&self, mut look: impl FnMut(&Path) -> Option<T>) -> Option<T> {
        loop {
            let before = self.whereabouts();
            let found = look(&before.dir);
            match (self.whereabouts() == before, &found) {
                (true, Some(_)) => return found,
                (true, None) if before.at_rest() => return None,
                _ => self.await_rest(),
            }
        }
    }

    /// What `look` finds in the mailbox's directory. It looks again where the directory was another one's meanwhile; it may be
    /// called while the files are on their way.
    pub(super) fn wherever<T>(&self, mut look: impl FnMut(&Path) -> T) -> T {
        loop {
            let before = self.whereabouts();
            let found = look(&before.dir);
            if self.whereabouts() == before {
                return found;
            }
        }
    }

    pub(super) fn tell_of_move(&self) {
        let _nobody_between_look_and_wait = self.moves.lock();
        self.moved.notify_all();
    }
}

/// Where a mailbox's files are, or are leaving from.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Whereabouts {
    pub(super) dir: PathBuf,
    moves: u64,
}

impl Whereabouts {
    /// Whether all files are there.
    pub(super) fn at_rest(&self) -> bool {
        self.moves.is_multiple_of(2)
    }
}

/// A mailbox whose files are on their way, until this is dropped.
pub(crate) struct Moving<'a> {
    mailbox: &'a Mailbox,
    _nobody_works: RwLockWriteGuard<'a, ()>,
}

impl Drop for Moving<'_> {
    fn drop(&mut self) {
        self.mailbox.moving.fetch_add(1, Ordering::AcqRel);
        self.mailbox.tell_of_move();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use crate::mailbox::tests::{filled, text};
    use crate::mailbox::{Identity, Mailbox};

    /// Renames the mailbox's directory, as the store does.
    fn rename(mailbox: &Arc<Mailbox>, name: &str) {
        let moving = mailbox.begin_move();
        let (old, identity) = (mailbox.dir(), mailbox.identity());
        let dir = old.with_file_name(name);
        fs::rename(&old, &dir).unwrap();
        mailbox.set_identity(Identity { dir, ..(*identity).clone() });
        drop(moving);
    }

    #[test]
    fn a_message_is_not_missed_nor_mistaken_while_its_mailbox_moves_away_and_back() {
        // Whoever looks finds nothing, or the message of a mailbox that has the name meanwhile.
        for misses in [true, false] {
            let (home, _bench, mailbox) = filled(1);
            let joe = home.path().join("joe");
            let mut looks = 0;
            let found = mailbox.at_rest(|dir| {
                looks += 1;
                if looks > 1 {
                    return fs::read_to_string(dir.join("1.")).ok();
                }
                rename(&mailbox, "elsewhere");
                fs::create_dir(&joe).unwrap();
                fs::write(joe.join("1."), b"of another one").unwrap();
                let found = fs::read_to_string(dir.join("1.")).ok().filter(|_| !misses);
                fs::remove_dir_all(&joe).unwrap();
                rename(&mailbox, "joe");
                found
            });
            assert_eq!((found, looks), (Some(text(1)), 2), "misses: {misses}");
        }
    }

    #[test]
    fn a_message_on_its_way_is_waited_for() {
        let (home, _bench, mailbox) = filled(1);
        let (joe, away) = (home.path().join("joe/1."), home.path().join("away"));
        let moving = mailbox.begin_move();
        fs::rename(&joe, &away).unwrap();
        // It ends while somebody waits for it, or before: the answer is the same.
        std::thread::scope(|scope| {
            let (looked, look) = std::sync::mpsc::channel();
            let reader = scope.spawn(|| {
                mailbox.at_rest(move |dir| {
                    let found = fs::read_to_string(dir.join("1.")).ok();
                    let _ = looked.send(());
                    found
                })
            });
            look.recv().unwrap();
            fs::rename(&away, &joe).unwrap();
            drop(moving);
            assert_eq!(reader.join().unwrap(), Some(text(1)));
        });
        assert_eq!(mailbox.at_rest(|dir| fs::read_to_string(dir.join("2.")).ok()), None);
    }
}
