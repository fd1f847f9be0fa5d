//! The server's log as a test sees it: every warning and error must have been announced.

/// The lines of `log` that report a warning or an error and contain none of the `announced` texts.
///
/// Both of the log's shapes are understood: `2026-11-22T20:00:00Z  WARN target: ...` and JSON with `"level":"WARN"`.
pub fn unannounced<'a>(log: &'a str, announced: &[String]) -> Vec<&'a str> {
    log.lines()
        .filter(|line| is_trouble(line))
        .filter(|line| !announced.iter().any(|text| line.contains(text.as_str())))
        .collect()
}

fn is_trouble(line: &str) -> bool {
    if line.contains("panicked at") {
        return true;
    }
    if line.starts_with('{') {
        return line.contains(r#""level":"WARN""#) || line.contains(r#""level":"ERROR""#);
    }
    line.split_whitespace().take(3).any(|word| word == "WARN" || word == "ERROR")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unannounced_trouble_is_reported() {
        let log = "2026-11-22T20:00:00Z  INFO imapd: WARN is only a word here\n\
                   2026-11-22T20:00:01Z  WARN imapd: event=\"login.refused\" user=joe\n\
                   {\"level\":\"ERROR\",\"event\":\"index.damaged\"}\n\
                   thread 'main' panicked at src/main.rs:1:1\n";
        assert_eq!(unannounced(log, &["login.refused".to_owned()]).len(), 2);
        assert_eq!(unannounced(log, &[]).len(), 3);
    }
}
