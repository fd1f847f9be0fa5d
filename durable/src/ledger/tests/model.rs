//! Random histories against a map in memory.

use proptest::{collection::vec, prelude::*};

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// Rows to set or remove.
    Apply(Vec<(u8, Option<u16>)>),
    Dump,
    /// Open again, after a clean stop or not.
    Reopen {
        clean: bool,
    },
    /// Open again without the index.
    LoseIndex,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => vec((0..12u8, any::<Option<u16>>()), 0..5).prop_map(Step::Apply),
        1 => Just(Step::Dump),
        1 => any::<bool>().prop_map(|clean| Step::Reopen { clean }),
        1 => Just(Step::LoseIndex),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_ledger_is_a_map(steps in vec(step(), 1..40)) {
        let home = Home::new();
        let mut ledger = home.create();
        let (mut model, mut seq) = (Model::new(), 0);
        for step in steps {
            match step {
                Step::Apply(rows) => {
                    let mut batch = Batch::new();
                    for (key, value) in rows {
                        let key = format!("k{key}");
                        match value {
                            Some(value) => {
                                batch.put(key.clone(), &value).unwrap();
                                model.insert(key, value.to_string());
                            }
                            None => {
                                batch.remove(key.clone());
                                model.remove(&key);
                            }
                        }
                    }
                    seq += u64::from(!batch.is_empty());
                    prop_assert_eq!(ledger.apply(batch).unwrap(), seq);
                }
                Step::Dump => ledger.dump_now().unwrap(),
                Step::Reopen { clean } => {
                    if clean {
                        ledger.close().unwrap();
                    }
                    drop(ledger);
                    let (opened, report) = home.open();
                    prop_assert_eq!(report.clean, clean);
                    prop_assert!(report.rebuilt.is_none() && report.journal_renewed.is_none());
                    ledger = opened;
                }
                Step::LoseIndex => {
                    drop(ledger);
                    fs::remove_dir_all(home.dir()).unwrap();
                    let (opened, report) = home.open();
                    prop_assert!(report.rebuilt.is_some());
                    ledger = opened;
                }
            }
            prop_assert_eq!(ledger.last_seq(), seq);
            prop_assert_eq!(&rows(&ledger), &model);
        }
        prop_assert_eq!(ledger.verify().unwrap().problems, Vec::<String>::new());
    }
}
