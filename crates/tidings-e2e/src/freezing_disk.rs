//! A disk that can be made to hang: an ext4 in a file, frozen by the kernel.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A mounted file system on which writes can be made to wait. Let go and unmounted when this is dropped.
#[derive(Debug)]
pub struct FreezingDisk {
    folder: TempDir,
    mount: std::path::PathBuf,
    is_frozen: bool,
}

impl FreezingDisk {
    /// Makes one of this size.
    ///
    /// # Errors
    /// Why it cannot be had: only root may mount, on Linux with loop devices.
    pub fn mount(mebibytes: u64) -> Result<Self, String> {
        let folder = TempDir::with_prefix("tidings-frozen-").map_err(|error| error.to_string())?;
        let (image, mount) = (folder.path().join("image"), folder.path().join("disk"));
        let file = std::fs::File::create(&image).map_err(|error| error.to_string())?;
        file.set_len(mebibytes << 20).map_err(|error| error.to_string())?;
        std::fs::create_dir(&mount).map_err(|error| error.to_string())?;
        run(Command::new("mkfs.ext4").arg("-q").arg(&image))?;
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&mount))?;
        Ok(Self { folder, mount, is_frozen: false })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.mount
    }

    /// From now on whoever writes waits.
    #[track_caller]
    pub fn freeze(&mut self) {
        run(Command::new("fsfreeze").arg("--freeze").arg(&self.mount)).expect("a mounted ext4 can be frozen");
        self.is_frozen = true;
    }

    /// Whoever waits goes on.
    #[track_caller]
    pub fn thaw(&mut self) {
        run(Command::new("fsfreeze").arg("--unfreeze").arg(&self.mount)).expect("it was frozen");
        self.is_frozen = false;
    }
}

impl Drop for FreezingDisk {
    fn drop(&mut self) {
        let thawed =
            if self.is_frozen { run(Command::new("fsfreeze").arg("--unfreeze").arg(&self.mount)) } else { Ok(()) };
        // Lazily: whatever a failing test has open there goes with its process.
        let unmounted = run(Command::new("umount").arg("--lazy").arg(&self.mount));
        if let Err(fault) = thawed.and(unmounted) {
            #[expect(clippy::print_stderr, reason = "a disk that stays mounted is for a person to remove")]
            {
                eprintln!("{}: {fault}", self.folder.path().display());
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
