//! A small disk of its own, in memory, so that a test can fill it.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A mounted file system of a few megabytes; unmounted when this is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    directory: TempDir,
}

impl SmallDisk {
    /// Mounts one of this size, in memory.
    ///
    /// # Errors
    /// Why it cannot be had: only root may mount, on Linux.
    pub fn mount(mebibytes: usize) -> Result<Self, String> {
        let directory = TempDir::with_prefix("tidings-disk-").map_err(|error| error.to_string())?;
        let size = format!("size={mebibytes}m,mode=0700");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tidings-test"]).arg(directory.path()))?;
        Ok(Self { directory })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whatever a failing test has open there goes with its process.
        if let Err(fault) = run(Command::new("umount").arg("--lazy").arg(self.directory.path())) {
            #[expect(clippy::print_stderr, reason = "a disk that stays mounted is for a person to remove")]
            {
                eprintln!("{}: {fault}", self.directory.path().display());
            }
        }
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {} {}", output.status, String::from_utf8_lossy(&output.stderr).trim()))
}
