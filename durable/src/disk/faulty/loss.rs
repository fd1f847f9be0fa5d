//! Which unsynced changes of a file a power cut takes, and the taking.

use rustix::{
    fs::{Timespec, Timestamps, ftruncate, futimens},
    io::pwrite,
};

use super::power::LossReport;
use crate::disk::{DiskFile, UnixTime};

/// One unsynced change of a file's bytes, size or times.
pub(super) struct DataChange {
    pub(super) at: u64,
    pub(super) old_len: u64,
    pub(super) kind: DataKind,
}

pub(super) enum DataKind {
    Write { offset: u64, old: Vec<u8>, new: Vec<u8> },
    Resize { len: u64, old_tail: Vec<u8> },
    Times { old: UnixTime },
}

/// A disk writes sectors whole.
const SECTOR: usize = 512;

/// Takes a file back to its durable content, then lets some of the unsynced changes happen after all.
pub(super) fn lose_data(
    file: &DiskFile,
    changes: &[DataChange],
    dice: &mut Dice,
    report: &mut LossReport,
) -> rustix::io::Result<()> {
    for change in changes.iter().rev() {
        match &change.kind {
            DataKind::Write { offset, old, .. } => write_all(file, old, *offset)?,
            DataKind::Resize { len, old_tail } => write_all(file, old_tail, *len)?,
            DataKind::Times { old } => {
                let time = Timespec { tv_sec: old.secs, tv_nsec: old.nanos.into() };
                futimens(file, &Timestamps { last_access: time, last_modification: time })?;
            }
        }
        if !matches!(change.kind, DataKind::Times { .. }) {
            ftruncate(file, change.old_len)?;
        }
    }
    for change in changes {
        if dice.loses() {
            report.writes += 1;
            continue;
        }
        match &change.kind {
            DataKind::Write { offset, new, .. } => {
                let mut keep = new.len();
                if dice.tears() {
                    keep = dice.below(new.len() as u64 + 1) as usize / SECTOR * SECTOR;
                    report.torn += usize::from(keep < new.len());
                }
                write_all(file, &new[..keep], *offset)?;
            }
            DataKind::Resize { len, .. } => ftruncate(file, *len)?,
            DataKind::Times { .. } => {}
        }
    }
    Ok(())
}

fn write_all(file: &DiskFile, bytes: &[u8], offset: u64) -> rustix::io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        done += pwrite(file, &bytes[done..], offset + done as u64)?;
    }
    Ok(())
}

/// Chance by seed (splitmix64), so that a failing test can be repeated.
pub(super) struct Dice {
    state: u64,
    mode: u64,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15), mode: seed % 4 }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub(super) fn loses(&mut self) -> bool {
        match self.mode {
            0 => false,
            1 => true,
            _ => self.next() & 1 == 0,
        }
    }

    fn tears(&mut self) -> bool {
        self.mode >= 2 && self.next() & 3 == 0
    }
}
