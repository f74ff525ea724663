//! Where the program, the clients and what a run leaves behind are.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The `tidings` binary: `TIDINGS_BIN` if set, else the one built beside this test.
pub(crate) fn tidings_binary() -> PathBuf {
    let binary = match env::var_os("TIDINGS_BIN") {
        Some(binary) => PathBuf::from(binary),
        None => profile_folder().join(format!("tidings{}", env::consts::EXE_SUFFIX)),
    };
    assert!(
        binary.is_file(),
        "{} is not there: run `cargo build -p tidings-cli` first (or `cargo xtask test`, which does)",
        binary.display()
    );
    binary
}

/// A file that a run leaves for people to look at, such as a screenshot.
pub fn artifact(name: &str) -> PathBuf {
    let folder = run_folder();
    fs::create_dir_all(&folder).expect("the target folder is writable: this test was built in it");
    folder.join(name)
}

/// The Python of the pinned packages; `cargo xtask setup` makes it.
pub(crate) fn python() -> PathBuf {
    let python = run_folder().join("python/bin/python");
    assert_set_up(&python);
    python
}

/// A file of `deploy/`, as users get it.
pub fn shipped(name: &str) -> PathBuf {
    of_the_project(&format!("deploy/{name}"))
}

/// A file or folder of the project, from its root.
pub fn of_the_project(path: &str) -> PathBuf {
    let path = package_folder().join("../..").join(path);
    fs::canonicalize(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Prometheus' own tool, as it is on PATH or as `cargo xtask setup` has unpacked it.
pub fn promtool() -> PathBuf {
    let unpacked = run_folder().join("promtool/usr/bin/promtool");
    if unpacked.is_file() { unpacked } else { on_path("promtool") }
}

/// The scripts that drive the clients in other languages.
pub(crate) fn client_script(name: &str) -> PathBuf {
    let clients = package_folder().join("clients");
    assert_set_up(&clients.join("node_modules"));
    clients.join(name)
}

/// A program's full path, as the shell would find it.
pub(crate) fn on_path(program: &str) -> PathBuf {
    env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{program} is not on PATH: run `cargo xtask setup` first"))
}

fn package_folder() -> PathBuf {
    // At run time cargo names the folder the test lies in now; a moved work tree is no surprise.
    env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
}

fn assert_set_up(path: &Path) {
    assert!(path.exists(), "{} is not there: run `cargo xtask setup` first", path.display());
}

/// `<target>/e2e`, where the set-up puts the Python environment and tests put their artifacts.
fn run_folder() -> PathBuf {
    let profile = profile_folder();
    let target = profile.parent().expect("the profile folder lies in a target folder");
    target.join("e2e")
}

/// `<target>/<profile>`; a test binary is `<target>/<profile>/deps/<name>-<hash>`.
fn profile_folder() -> PathBuf {
    let test = env::current_exe().expect("the system can tell which file this program is");
    let profile = test.ancestors().nth(2);
    profile.expect("a test binary lies two folders below its profile folder").to_owned()
}
