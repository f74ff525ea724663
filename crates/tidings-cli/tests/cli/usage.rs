//! Command lines that ask for nothing to be run, or for the wrong thing.

use tidings_e2e::{Program, tidings};

use crate::{expect_all, run};

#[test]
fn help_and_version_are_results() {
    let version = run(&["--version"]).expect_code(0);
    assert_eq!(version.stdout, format!("tidings {}\n", env!("CARGO_PKG_VERSION")));
    for command in ["serve", "demo", "publish", "tail", "bench", "config", "data"] {
        let help = run(&[command, "--help"]).expect_code(0);
        expect_all(&help.stdout, &["Examples:", &format!("tidings {command}")]);
        assert_eq!(run(&["help", command]).expect_code(0).stdout, help.stdout);
    }
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_expected() {
    for (words, wants) in [
        (&[][..], &["Usage: tidings"][..]),
        (&["sevre"], &["sevre", "serve"]),
        (&["serve", "--memory", "--listen", "0.0.0.0:0"], &["0.0.0.0:0", "--open", "--publisher-jwt-key"]),
        (&["demo", "--listen", "[::]:0"], &["[::]:0", "--open"]),
        (&["serve", "--memory", "--drain", "soon"], &["soon", "--drain", "15s"]),
        (&["publish", "t", "x", "--hub", "ftp://hub.example"], &["ftp", "expected a URL"]),
        (&["tail", "http://a.example", "b"], &["one URL"]),
        (&["tail", "http://a.example:port/s"], &["cannot be parsed"]),
        (&["tail", "t", "--keep-going"], &["--exec"]),
        (&["tail", "t", "--timeout", "soon"], &["soon", "15s"]),
        (&["tail", "t", "--save", "/no/such/place/id"], &["--save", "/no/such/place"]),
        (&["tail", "t", "--last-event-id", "a\nb"], &["--last-event-id", "control"]),
    ] {
        let finished = run(words).expect_code(2);
        expect_all(&finished.stderr, wants);
        assert_eq!(finished.stdout, "", "{words:?}");
    }
}

#[test]
fn a_variable_stands_for_its_flag_and_the_flag_counts_first() {
    let check = |words: &[&str], variables: &[(&str, &str)], code: i32, wants: &[&str]| {
        let mut command = tidings(words);
        command.envs(variables.iter().copied());
        let finished = Program::start(&mut command).finish().expect_code(code);
        expect_all(&finished.stderr, wants);
    };
    let memory = ("TIDINGS_MEMORY", "true");
    check(&["serve"], &[memory, ("TIDINGS_LISTEN", "127.0.0.1:0,0.0.0.0:0")], 2, &["0.0.0.0:0", "--open"]);
    check(&["serve", "--memory"], &[("TIDINGS_DURABILITY", "none")], 2, &["none", "--durability", "relaxed"]);
    check(&["serve"], &[("TIDINGS_MEMORY", "maybe")], 2, &["maybe", "--memory"]);
    check(&["serve"], &[memory, ("TIDINGS_HISTORY_BYTES", "1MB")], 2, &["1MB", "KiB"]);
    check(
        &["serve", "--listen", "192.0.2.1:0", "--open"],
        &[memory, ("TIDINGS_LISTEN", "127.0.0.1:0")],
        1,
        &["192.0.2.1:0", "no such address"],
    );
}
