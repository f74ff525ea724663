//! Installs what the tests need and the toolchain does not bring: programs and pinned clients.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::run::{output_of, run, succeeds};
use crate::steps::{Done, Steps};
use crate::workspace::Workspace;

/// All set-up; false as soon as a step fails, for the next ones build on it.
pub(crate) fn all(workspace: &Workspace, steps: &mut Steps) -> bool {
    steps.step("system packages", system_packages)
        && steps.step("node clients", || node_clients(workspace))
        && steps.step("python clients", || python_clients(workspace))
        && steps.step("promtool", || promtool(workspace))
}

/// A program that tests start, and the Debian package that brings it.
struct Need {
    package: &'static str,
    /// Exits with 0 where the package is there, however it got there.
    probe: (&'static str, &'static [&'static str]),
}

const NEEDS: &[Need] = &[
    need("chromium", "chromium", &["--version"]),
    need("chromium-driver", "chromedriver", &["--version"]),
    need("nodejs", "node", &["--version"]),
    need("npm", "npm", &["--version"]),
    need("python3", "python3", &["--version"]),
    need("python3-venv", "python3", &["-c", "import ensurepip, venv"]),
    need("curl", "curl", &["--version"]),
    need("php-cli", "php", &["--version"]),
    need("php-symfony-mercure", "php", &["-r", "require 'Symfony/Component/Mercure/autoload.php';"]),
    need("php-symfony-http-client", "php", &["-r", "require 'Symfony/Component/HttpClient/autoload.php';"]),
    need("e2fsprogs", "mkfs.ext4", &["-V"]),
    need("util-linux", "fsfreeze", &["--version"]),
    need("iproute2", "ip", &["-V"]),
    need("tmux", "tmux", &["-V"]),
    need("haproxy", "haproxy", &["-v"]),
];

const fn need(package: &'static str, program: &'static str, arguments: &'static [&'static str]) -> Need {
    Need { package, probe: (program, arguments) }
}

fn missing_packages() -> Vec<&'static str> {
    NEEDS.iter().filter(|Need { probe, .. }| !succeeds(probe.0, probe.1)).map(|need| need.package).collect()
}

fn system_packages() -> Result<Done, String> {
    let missing = missing_packages();
    if missing.is_empty() {
        println!("all there");
        return Ok(Done::Passed);
    }
    if !is_root() || !succeeds("apt-get", &["--version"]) {
        return Err(format!("please install these packages (Debian's names): {}", missing.join(" ")));
    }
    run(&mut apt_get(&["update"]))?;
    // Some archives bring npm with nodejs and refuse Debian's beside it, so npm waits for a second
    // look.
    let (later, first): (Vec<_>, Vec<_>) = missing.into_iter().partition(|name| *name == "npm");
    if !first.is_empty() {
        install(&first)?;
    }
    if !later.is_empty() && missing_packages().contains(&"npm") {
        install(&later)?;
    }
    let still_missing = missing_packages();
    if still_missing.is_empty() {
        Ok(Done::Passed)
    } else {
        Err(format!("installed, but not found on PATH or not running: {}", still_missing.join(" ")))
    }
}

fn is_root() -> bool {
    output_of("id", &["-u"]).is_some_and(|id| id == "0")
}

fn install(packages: &[&str]) -> Result<(), String> {
    run(apt_get(&["install", "--yes", "--no-install-recommends"]).args(packages))
}

fn apt_get(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// The npm packages of the lock file, exactly; where they are there already, nothing.
fn node_clients(workspace: &Workspace) -> Result<Done, String> {
    let clients = workspace.clients();
    let wanted = ["package.json", "package-lock.json"]
        .map(|name| read(&clients.join(name)))
        .into_iter()
        .collect::<Result<String, String>>()?;
    // Inside the folder that `npm ci` empties first, so that a stamp never outlives its packages.
    unless_stamped(&clients.join("node_modules/.stamp"), &wanted, || {
        run(Command::new("npm").arg("ci").current_dir(&clients))
    })
}

/// The Python packages of the requirements file, by their hashes, in an environment of their own.
fn python_clients(workspace: &Workspace) -> Result<Done, String> {
    let requirements = workspace.clients().join("requirements.txt");
    let environment = workspace.python_environment();
    // The version too: an environment breaks when the Python it points to goes away.
    let version = output_of("python3", &["--version"]).unwrap_or_default();
    let wanted = format!("{version}\n{}", read(&requirements)?);
    unless_stamped(&environment.join("stamp"), &wanted, || {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
        run(Command::new(environment.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--no-input"])
            .args(["--disable-pip-version-check", "--require-hashes"])
            .arg("--requirement")
            .arg(&requirements))
    })
}

/// Prometheus' own tool, to check what is meant for it. Debian has it in the package of the server, which would listen
/// from then on; so that is unpacked beside the tests and not installed.
fn promtool(workspace: &Workspace) -> Result<Done, String> {
    const PROGRAM: &str = "./usr/bin/promtool";
    let folder = workspace.promtool();
    let program = folder.join(PROGRAM);
    if succeeds("promtool", &["--version"]) || succeeds(&program.to_string_lossy(), &["--version"]) {
        println!("all there");
        return Ok(Done::Passed);
    }
    if !succeeds("apt-get", &["--version"]) {
        return Err("please put promtool on PATH; it comes with Prometheus".to_owned());
    }
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    if is_root() {
        run(&mut apt_get(&["update"]))?; // nobody may have asked for the lists yet
    }
    run(apt_get(&["download", "prometheus"]).current_dir(&folder))?;
    let unpack = format!("dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x {PROGRAM} && rm prometheus_*.deb");
    run(Command::new("sh").args(["-c", &unpack]).current_dir(&folder))?;
    if succeeds(&program.to_string_lossy(), &["--version"]) {
        Ok(Done::Passed)
    } else {
        Err(format!("unpacked, but not running: {}", program.display()))
    }
}

/// Does the work unless the stamp says that it was done for exactly this; stamps when it succeeds.
fn unless_stamped(stamp: &Path, wanted: &str, work: impl FnOnce() -> Result<(), String>) -> Result<Done, String> {
    if fs::read_to_string(stamp).is_ok_and(|found| found == wanted) {
        println!("unchanged");
        return Ok(Done::Passed);
    }
    work()?;
    fs::write(stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok(Done::Passed)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::env;
    use std::process;

    use super::*;

    #[test]
    fn work_is_done_once_for_each_content_and_again_after_a_failure() {
        let folder = env::temp_dir().join(format!("tidings-xtask-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let stamp = folder.join("stamp");
        let times = Cell::new(0);
        let check = |wanted: &str, outcome: Result<(), String>, want_times: u32| {
            let got = unless_stamped(&stamp, wanted, || {
                times.set(times.get() + 1);
                outcome.clone()
            });
            let still_good = times.get() == want_times;
            assert!(still_good, "{wanted:?}: {} times, got {got:?}", times.get());
        };
        check("a", Err("no network".to_owned()), 1);
        check("a", Ok(()), 2);
        check("a", Ok(()), 2);
        check("b", Err("no network".to_owned()), 3);
        check("b", Ok(()), 4);
        check("b", Ok(()), 4);
        fs::remove_dir_all(&folder).unwrap();
    }
}
