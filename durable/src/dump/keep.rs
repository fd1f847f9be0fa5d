//! Which dumps are kept: the newest, one for each of the last 24 hours that have one, one for each of the last 14 days.

use super::DumpName;

/// Enough to look back over a working day in detail.
const HOURS: usize = 24;

/// Enough to notice a mistake after a holiday.
const DAYS: usize = 14;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// The dumps that may go. `dumps` in any order; the clock may have been set back in between, so the newest is the one with
/// the highest batch number, not the latest time.
pub(crate) fn superfluous(dumps: &[DumpName]) -> Vec<DumpName> {
    let mut sorted = dumps.to_vec();
    sorted.sort();
    sorted.reverse();
    let (mut hours, mut days) = (Vec::new(), Vec::new());
    let mut gone = Vec::new();
    for (rank, dump) in sorted.into_iter().enumerate() {
        let kept =
            [claims(&mut hours, dump.time.div_euclid(HOUR), HOURS), claims(&mut days, dump.time.div_euclid(DAY), DAYS)];
        if rank > 0 && !kept.contains(&true) {
            gone.push(dump);
        }
    }
    gone
}

/// Whether this dump is the newest of its period, and the period one of the newest.
fn claims(periods: &mut Vec<i64>, period: i64, most: usize) -> bool {
    if periods.contains(&period) || periods.len() == most {
        return false;
    }
    periods.push(period);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_hourly_daily() {
        // A dump every ten minutes for forty days.
        let start = 1_700_000_000 / DAY * DAY;
        let dumps: Vec<_> = (0..40 * 144).map(|n| DumpName { seq: n as u64 + 1, time: start + n * 600 }).collect();
        let gone = superfluous(&dumps);
        let kept: Vec<_> = dumps.iter().filter(|dump| !gone.contains(dump)).collect();
        // The last of each of 24 hours; the last of each of 14 days, the newest day's being also its hour's.
        assert_eq!(kept.len(), 24 + 13);
        assert_eq!(kept.last().unwrap().seq, 40 * 144);
        assert!(kept.iter().all(|dump| (dump.time - start) % HOUR == 3000));
        assert!(superfluous(&kept.into_iter().cloned().collect::<Vec<_>>()).is_empty());
    }

    #[test]
    fn a_clock_set_back_does_not_cost_the_newest() {
        let dumps =
            [DumpName { seq: 9, time: 1000 }, DumpName { seq: 8, time: 9_000_000 }, DumpName { seq: 7, time: 900 }];
        assert_eq!(superfluous(&dumps), [dumps[2].clone()]);
        assert!(superfluous(&[]).is_empty());
    }
}
