//! The binaries that trials run: built by cargo, from the sources as they are.

use std::{env, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

/// A build of the workspace's binaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// Profile `dev`: what the tests have built already.
    Dev,
    /// Profile `release`.
    Release,
    /// Profile `dev` with `--cfg canary`, in a directory of its own.
    Canary,
}

impl Build {
    /// Its cargo profile.
    pub fn profile(self) -> &'static str {
        if self == Self::Release { "release" } else { "dev" }
    }

    /// Where a binary of it is, built or not.
    ///
    /// # Errors
    /// It is unknown where this program lies.
    pub fn binary(self, name: &str) -> Result<PathBuf> {
        let profile = if self == Self::Release { "release" } else { "debug" };
        Ok(self.target()?.join(profile).join(name))
    }

    /// Builds packages; together, so that they share what they depend on.
    ///
    /// # Errors
    /// cargo says why.
    pub fn make(self, packages: &[&str]) -> Result<()> {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(crate::root()).args(["build", "--locked"]);
        cargo.args(packages.iter().flat_map(|package| ["--package", package]));
        cargo.env("CARGO_TARGET_DIR", self.target()?);
        match self {
            Self::Dev => {}
            Self::Release => drop(cargo.arg("--release")),
            Self::Canary => drop(cargo.env("RUSTFLAGS", "--cfg canary")),
        }
        let status = cargo.status().context("run cargo")?;
        if !status.success() {
            bail!("{} does not build", packages.join(", "));
        }
        Ok(())
    }

    /// The target directory is that of this program, which cargo built: `T/debug/xtask`.
    fn target(self) -> Result<PathBuf> {
        let program = env::current_exe().context("find this program")?;
        let target = program.ancestors().nth(2).context("this program lies in no target directory")?;
        Ok(if self == Self::Canary { target.join("canary") } else { target.to_owned() })
    }
}
