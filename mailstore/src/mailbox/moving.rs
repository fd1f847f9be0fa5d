//! Where the files of an open mailbox are while it is renamed or moved, and waiting for that to end.

use std::path::Path;
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
        self.moving.store(true, Ordering::Release);
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
        self.moving.load(Ordering::Acquire)
    }

    pub(super) fn tell_of_move(&self) {
        let _nobody_between_look_and_wait = self.moves.lock();
        self.moved.notify_all();
    }
}

/// A mailbox whose files are on their way, until this is dropped.
pub(crate) struct Moving<'a> {
    mailbox: &'a Mailbox,
    _nobody_works: RwLockWriteGuard<'a, ()>,
}

impl Drop for Moving<'_> {
    fn drop(&mut self) {
        self.mailbox.moving.store(false, Ordering::Release);
        self.mailbox.tell_of_move();
    }
}
