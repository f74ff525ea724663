//! The file as its writers know it: what it may say, and what they are told.

use std::time::Duration;

use super::*;

#[track_caller]
fn good(text: &str) -> ConfigFile {
    ConfigFile::parse(text).unwrap_or_else(|faults| panic!("{text}\n{faults:?}"))
}

/// The only fault of a text is in this line and tells all of this.
#[track_caller]
fn check(text: &str, line: usize, wants: &[&str]) {
    let faults = ConfigFile::parse(text).expect_err(text);
    let told: Vec<_> = faults.iter().map(|fault| (fault.line(), fault.to_string())).collect();
    assert_eq!(told.len(), 1, "{text}\n{told:?}");
    assert_eq!(told[0].0, line, "{text}\n{told:?}");
    for want in wants {
        assert!(told[0].1.contains(want), "{text}\n{want:?} in {told:?}");
    }
}

#[test]
fn values_are_written_as_on_the_command_line() {
    let file = good(
        "[listening]
         listen = [\"127.0.0.1:3000\", '[::1]:3000']
         [store]
         memory = true
         history-events = 1_000
         [access]
         cors-origin = \"*\"
         [limits]
         max-connections = 0x10
         slow-client-timeout = 0",
    );
    let got: Vec<_> = file.values.iter().map(|(key, values)| (&**key, values.join(" "))).collect();
    let want = [
        ("cors-origin", "*"),
        ("history-events", "1000"),
        ("listen", "127.0.0.1:3000 [::1]:3000"),
        ("max-connections", "16"),
        ("memory", "true"),
        ("slow-client-timeout", "0"),
    ];
    assert_eq!(got, want.map(|(key, values)| (key, values.to_owned())));
    assert_eq!(good(""), ConfigFile::default());
    assert_eq!(good("# nothing\n[streams]\n"), ConfigFile::default());
}

#[test]
fn a_name_that_is_not_known_is_told_with_the_nearest() {
    check("[store]\nhistroy-bytes = \"1GiB\"", 2, &["no key histroy-bytes in [store]", "did you mean history-bytes?"]);
    check("[store]\nbytes = \"1GiB\"", 2, &["did you mean history-bytes?"]);
    check("[store]\nmax_connections = 5", 2, &["did you mean max-connections, in [limits]?"]);
    check("[streams]\ncolour = 1", 2, &["expected heartbeat, retry, delivery"]);
    check("[limits]\nheartbeat = \"5s\"", 2, &["heartbeat stands in [limits]; expected it in [streams]"]);
    check("heartbeat = \"5s\"", 1, &["stands in no table; expected it in [streams]"]);
    check("lsiten = \"5s\"", 1, &["did you mean listen, in [listening]?"]);
    check("[stream]\nheartbeat = \"5s\"", 1, &["no table [stream]", "did you mean [streams]?"]);
    check("[zzz]", 1, &["[listening], [store], [access], [streams], [limits], [logs] or [[history]]"]);
    check("[history]\nevents = 5", 1, &["expected [[history]]", "[store]"]);
    check("history = 5", 1, &["expected [[history]]"]);
}

#[test]
fn a_wrong_value_is_told_with_its_key_and_what_is_expected() {
    check("[streams]\nheartbeat = 15", 2, &["heartbeat = 15: the number has no unit; expected a whole number"]);
    check("[streams]\nheartbeat = 1.5", 2, &["heartbeat = 1.5: expected a value such as \"15s\""]);
    check("[streams]\nheartbeat = [\"1s\"]", 2, &["expected a value such as"]);
    check("[streams]\ndelivery = \"fast\"", 2, &["delivery = \"fast\": expected auto, direct or body"]);
    check("[store]\nmemory = \"true\"", 2, &["memory = \"true\": expected true or false"]);
    check("[store]\nhistory-bytes = \"1GB\"", 2, &["history-bytes = \"1GB\"", "KiB"]);
    check("[store]\nhistory-events = -1", 2, &["history-events = -1: expected a whole number"]);
    check("[listening]\nlisten = [\n\"127.0.0.1:1\",\n3000\n]", 4, &["listen = 3000: expected an IP address"]);
    check("[listening]\nlisten = []", 2, &["listen = []: it is empty; expected a list such as"]);
    assert_eq!(good("[access]\ncors-origin = []").values["cors-origin"], [""; 0]);
    check("[listening]\nlisten = [1.5]", 2, &["expected a list such as [\"127.0.0.1:3000\"]"]);
    check("[limits]\nmax-connections = 0", 2, &["max-connections = 0: expected a whole number from 1"]);
}

#[test]
fn a_key_is_never_repeated() {
    for wrong in ["[\"hunter2\"]", "{ hunter2 = 1 }", "2026-01-01T00:00:00"] {
        let text = format!("[access]\npublisher-jwt-key = {wrong}");
        check(&text, 2, &["publisher-jwt-key: expected a value such as \"file:///"]);
        assert!(!format!("{:?}", ConfigFile::parse(&text)).contains("hunter2"), "{wrong}");
    }
    for broken in ["\"hunter2", "hunter2", "\"hunter2\" hunter2", "'hunter2"] {
        let faults = ConfigFile::parse(&format!("[access]\nsubscriber-jwt-key = {broken}\n")).expect_err(broken);
        assert!(!faults.iter().any(|fault| fault.to_string().contains("hunter2")), "{faults:?}");
    }
}

#[test]
fn what_is_not_toml_is_told_with_its_line() {
    check("[streams]\nretry = \"1s\"\nheartbeat = 15s\n", 3, &["quotes"]);
    check("[streams]\nretry = \"1s\"\nretry = \"2s\"\n", 3, &["duplicate key"]);
    check("[streams\nretry = \"1s\"\n", 1, &["unclosed table, expected `]`"]);
    check("[streams]\nretry\n", 2, &[]);
}

#[test]
fn all_faults_are_told_in_the_order_of_the_lines() {
    let text = "[strems]\n[streams]\nheartbeat = 15s\nretry = 5\n[[history]]\ntopics = \"a\"\n[store]\nmemory = 1\n";
    let faults = ConfigFile::parse(text).expect_err("five faults");
    let lines: Vec<_> = faults.iter().map(Fault::line).collect();
    assert_eq!(lines, [1, 3, 4, 5, 8], "{faults:?}");
}

#[test]
fn tables_for_topics_are_bounds_in_their_order() {
    let file = good(
        "[[history]]
         topics = \"chat/**\"
         events = 100
         bytes = \"1MiB\"
         age = \"1h\"
         [[history]]
         topics = \"news\"
         age = \"7d\"",
    );
    let chat = TopicBounds {
        topics: tidings::Selector::parse("chat/**").expect("a pattern"),
        events_max: Some(100),
        bytes_max: Some(1 << 20),
        age_max: Some(Duration::from_hours(1)),
    };
    let news = TopicBounds {
        topics: tidings::Selector::parse("news").expect("a topic"),
        events_max: None,
        bytes_max: None,
        age_max: Some(Duration::from_hours(168)),
    };
    assert_eq!(file.topic_bounds, [chat, news]);
}

#[test]
fn a_table_for_topics_names_them_and_bounds_them() {
    check("\n[[history]]\nevents = 5", 2, &["[[history]] has no topics"]);
    check("[[history]]\ntopics = \"a\"", 1, &["topics = \"a\" has no bound; expected at least one of events"]);
    check("[[history]]\ntopics = \"a*\"\nevents = 5", 2, &["topics = \"a*\"", "'*' inside a segment"]);
    check("[[history]]\ntopics = \"a\"\nevents = \"many\"", 3, &["events = \"many\": expected a whole number"]);
    check("[[history]]\ntopics = \"a\"\nage = true", 3, &["age = true: expected a value such as \"1h\""]);
    check("[[history]]\ntopics = \"a\"\nhistory-bytes = \"1MiB\"", 3, &["no key history-bytes", "did you mean bytes?"]);
    check("[[history]]\ntopic = \"a\"\nage = \"1h\"", 2, &["did you mean topics?"]);
    let twice = "[[history]]\ntopics = \"a\"\nevents = 1\n[[history]]\ntopics = \"a\"\nevents = 2\n";
    check(twice, 4, &["never counts, for line 1 bounds the same topics"]);
    check("history = [5]", 1, &["expected [[history]]"]);
}

#[test]
fn what_cannot_be_read_is_told() {
    let error = ConfigFile::read(Path::new("/no/such/file.toml")).expect_err("no file").to_string();
    assert!(error.contains("/no/such/file.toml") && error.contains("tidings config default"), "{error}");
    let error = ConfigFile::read(Path::new("/dev/zero")).expect_err("no end").to_string();
    assert!(error.contains("more than 1 MiB"), "{error}");
}
