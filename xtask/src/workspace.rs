//! Where things are.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The folders and the cargo that the steps use.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The repository's root.
    pub(crate) root: PathBuf,
    /// The cargo that runs this program, so that all steps use one toolchain.
    pub(crate) cargo: OsString,
    /// See `target`.
    target: PathBuf,
}

impl Workspace {
    /// # Errors
    /// When this program was not started by cargo, or lies in no target folder.
    pub(crate) fn find() -> Result<Self, String> {
        let package =
            env::var_os("CARGO_MANIFEST_DIR").ok_or("CARGO_MANIFEST_DIR is not set: start this as `cargo xtask`")?;
        let root = Path::new(&package)
            .parent()
            .ok_or_else(|| format!("{} has no parent folder", package.display()))?
            .to_owned();
        let program = env::current_exe().map_err(|error| format!("current_exe: {error}"))?;
        // <target>/<profile>/xtask: read off the program itself, so that a variable or a
        // configuration file that moves the target folder is followed without parsing either.
        let target = program
            .ancestors()
            .nth(2)
            .ok_or_else(|| format!("{} lies in no target folder", program.display()))?
            .to_owned();
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Ok(Self { root, cargo, target })
    }

    /// The target folder, whichever way it was set.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Pinned clients in other languages: their manifests and the scripts that drive them.
    pub(crate) fn clients(&self) -> PathBuf {
        self.root.join("crates/tidings-e2e/clients")
    }

    /// Where Prometheus' tool is unpacked; the end-to-end tests look for it here.
    pub(crate) fn promtool(&self) -> PathBuf {
        self.target.join("e2e/promtool")
    }

    /// The virtual environment of the Python clients; the end-to-end tests look for it here.
    pub(crate) fn python_environment(&self) -> PathBuf {
        self.target.join("e2e/python")
    }
}
