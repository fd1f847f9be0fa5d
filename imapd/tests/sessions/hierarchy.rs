//! CREATE, RENAME, LIST and its kin over the names of several users.

use crate::harness::{Client, Server};

/// The names and attributes that a LIST tells, as `name attributes`.
async fn listed(client: &mut Client, arguments: &str) -> Vec<String> {
    let answer = client.ok(&format!("LIST {arguments}")).await;
    answer
        .untagged
        .iter()
        .filter_map(|line| {
            let (attributes, rest) = line.strip_prefix("* LIST (")?.split_once(") \"/\" ")?;
            Some(format!("{rest} {attributes}").trim_end().to_owned())
        })
        .collect()
}

#[tokio::test]
async fn a_user_sees_three_namespaces() {
    let server = Server::new();
    let mut admin = server.login("admin").await;
    admin.ok("CREATE team/plans").await;
    admin.ok("SETACL team admin x").await;
    admin.ok("DELETE team").await;
    admin.ok("SETACL user/sue joe lr").await;
    let mut joe = server.login("joe").await;
    joe.ok("CREATE Drafts/2026").await;
    assert_eq!(listed(&mut joe, "\"\" Drafts").await, ["Drafts \\HasChildren"]);
    joe.ok("DELETE Drafts").await;
    joe.ok("CREATE \"A b\"").await;
    assert_eq!(
        listed(&mut joe, "\"\" *").await,
        [
            "INBOX \\Noinferiors \\HasNoChildren",
            "\"A b\" \\HasNoChildren",
            "Drafts \\NonExistent \\Noselect \\HasChildren",
            "Drafts/2026 \\HasNoChildren",
            "\"Other Users\" \\NonExistent \\Noselect \\HasChildren",
            "\"Other Users/sue\" \\HasNoChildren",
            "\"Shared Folders\" \\NonExistent \\Noselect \\HasChildren",
            "\"Shared Folders/team\" \\NonExistent \\Noselect \\HasChildren",
            "\"Shared Folders/team/plans\" \\HasNoChildren",
        ]
    );
    assert_eq!(
        listed(&mut joe, "\"\" %").await,
        [
            "INBOX \\Noinferiors \\HasNoChildren",
            "\"A b\" \\HasNoChildren",
            "Drafts \\NonExistent \\Noselect \\HasChildren",
            "\"Other Users\" \\NonExistent \\Noselect \\HasChildren",
            "\"Shared Folders\" \\NonExistent \\Noselect \\HasChildren",
        ]
    );
    assert_eq!(listed(&mut joe, "Drafts/ %").await, ["Drafts/2026 \\HasNoChildren"]);
    assert_eq!(listed(&mut joe, "\"\" inbox").await, ["INBOX \\Noinferiors \\HasNoChildren"]);
    assert_eq!(listed(&mut joe, "\"\" \"\"").await, ["\"\" \\Noselect"]);
}

#[tokio::test]
async fn an_administrator_sees_internal_names() {
    let server = Server::new();
    let mut admin = server.login("admin").await;
    assert_eq!(
        listed(&mut admin, "\"\" user/%").await,
        ["user/admin \\HasNoChildren", "user/joe \\HasNoChildren", "user/sue \\HasNoChildren"]
    );
    assert_eq!(
        listed(&mut admin, "\"\" %").await,
        ["INBOX \\HasNoChildren", "user \\NonExistent \\Noselect \\HasChildren"]
    );
}

#[tokio::test]
async fn levels_are_told_once_whatever_stands_beside_them() {
    let server = Server::new();
    let mut joe = server.login("joe").await;
    // Names that sort between a level and what is below it.
    for name in ["a!", "a/x", "a b", "a/y/z", "a-b/c", "a0"] {
        joe.ok(&format!("CREATE \"{name}\"")).await;
    }
    for level in ["a", "a-b", "a/y"] {
        joe.ok(&format!("DELETE {level}")).await;
    }
    let names = |lines: Vec<String>| -> Vec<String> {
        lines.iter().map(|line| line[..line.find(" \\").unwrap()].to_owned()).collect()
    };
    assert_eq!(names(listed(&mut joe, "\"\" a%").await), ["\"a b\"", "a!", "a-b", "a", "a0"]);
    assert_eq!(names(listed(&mut joe, "\"\" a/%").await), ["a/x", "a/y"]);
    assert_eq!(names(listed(&mut joe, "\"\" a%/%").await), ["a-b/c", "a/x", "a/y"]);
}

#[tokio::test]
async fn subscriptions_and_selection() {
    let server = Server::new();
    let mut joe = server.login("joe").await;
    for name in ["foo", "foo/bar", "Sent"] {
        joe.ok(&format!("CREATE {name}")).await;
    }
    joe.ok("SUBSCRIBE foo/bar").await;
    joe.ok("SUBSCRIBE Sent").await;
    joe.ok("DELETE Sent").await;
    joe.no("SUBSCRIBE Missing").await;
    joe.ok("UNSUBSCRIBE Missing").await;
    let subscribed = listed(&mut joe, "(SUBSCRIBED) \"\" *").await;
    assert!(
        subscribed.contains(&"Sent \\NonExistent \\Noselect \\HasNoChildren \\Subscribed".to_owned()),
        "{subscribed:?}"
    );
    assert!(subscribed.contains(&"foo/bar \\HasNoChildren \\Subscribed".to_owned()), "{subscribed:?}");
    let recursive = listed(&mut joe, "(SUBSCRIBED RECURSIVEMATCH) \"\" f%").await;
    assert_eq!(recursive, ["foo (\"CHILDINFO\" (\"SUBSCRIBED\")) \\HasChildren"]);
    let returned = listed(&mut joe, "\"\" (foo foo/%) RETURN (SUBSCRIBED)").await;
    assert_eq!(returned, ["foo \\HasChildren", "foo/bar \\HasNoChildren \\Subscribed"]);
    let lsub = joe.ok("LSUB \"\" %").await;
    assert!(lsub.untagged.contains(&"* LSUB (\\Noselect) \"/\" foo".to_owned()), "{lsub:?}");
    joe.bad("LIST (RECURSIVEMATCH) \"\" *").await;
}

#[tokio::test]
async fn special_uses_status_and_rights_in_one_list() {
    let server = Server::new();
    let mut joe = server.login("joe").await;
    joe.ok("CREATE Gesendet (USE (\\Sent))").await;
    assert!(joe.no("CREATE X (USE (\\Nonsense))").await.starts_with("NO [USEATTR]"));
    joe.ok("CREATE Plain").await;
    assert_eq!(listed(&mut joe, "(SPECIAL-USE) \"\" *").await, ["Gesendet \\HasNoChildren \\Sent"]);
    let answer = joe.ok("LIST \"\" Gesendet RETURN (MYRIGHTS STATUS (MESSAGES))").await;
    assert_eq!(answer.untagged[0], "* LIST (\\HasNoChildren \\Sent) \"/\" Gesendet");
    assert!(answer.untagged[1].starts_with("* MYRIGHTS Gesendet l"), "{answer:?}");
    assert_eq!(answer.untagged[2], "* STATUS Gesendet (MESSAGES 0)");
}

#[tokio::test]
async fn names_travel_in_the_sessions_encoding() {
    let server = Server::new();
    let mut rev1 = server.login("joe").await;
    rev1.ok("CREATE Entw&APw-rfe").await;
    let mut rev2 = server.login("joe").await;
    rev2.ok("ENABLE IMAP4rev2").await;
    assert_eq!(listed(&mut rev2, "\"\" Entw*").await, ["\"Entwürfe\" \\HasNoChildren"]);
    assert_eq!(listed(&mut rev1, "\"\" Entw*").await, ["Entw&APw-rfe \\HasNoChildren"]);
    rev2.ok("SELECT \"Entwürfe\"").await;
}

#[tokio::test]
async fn names_that_cannot_be() {
    let server = Server::new();
    let mut joe = server.login("joe").await;
    for name in
        ["INBOX", "inbox/x", "\"Other Users\"", "\"a//b\"", "../sue", "\"\"", "a/../b", "\"Shared Folders/user/sue\""]
    {
        joe.no(&format!("CREATE {name}")).await;
    }
    assert!(joe.no("CREATE \"Shared Folders/mine\"").await.starts_with("NO [NOPERM]"));
    joe.no("DELETE INBOX").await;
    joe.ok("CREATE ends/").await;
    assert!(joe.no("CREATE ends").await.starts_with("NO [ALREADYEXISTS]"));
    joe.no("RENAME ends INBOX").await;
}

/// Many mailboxes reach the client in order, each once, while it reads slowly.
#[tokio::test]
async fn a_long_list_is_whole() {
    let server = Server::new();
    let mut joe = server.login("joe").await;
    for n in 0..1200 {
        joe.ok(&format!("CREATE box{n:04}/sub")).await;
    }
    let names = listed(&mut joe, "\"\" box*").await;
    assert_eq!(names.len(), 2400);
    assert!(names.is_sorted());
    assert_eq!(listed(&mut joe, "\"\" box%").await.len(), 1200);
}
