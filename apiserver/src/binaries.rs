//! Where the programs are: in `$KUBEBUILDER_ASSETS`, which is how the ecosystem says
//! it, or in the cache, into which they are built once.
//!
//! The cache is `$EAGRE_APISERVER_CACHE`, or `apiserver/` in the target directory that
//! the running test was built into: `cargo clean` takes it along, whatever keeps the
//! target directory keeps it, and nothing is left elsewhere. A second clone builds in
//! about a minute, since Go has a cache of its own.

use std::{
    env,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use crate::{Error, build};

/// The programs of one version.
#[derive(Debug, Clone)]
pub struct Binaries {
    /// The store.
    pub etcd: PathBuf,
    /// The API server.
    pub kube_apiserver: PathBuf,
    /// The command for people, where it lies beside the others; never built.
    pub kubectl: Option<PathBuf>,
}

impl Binaries {
    /// Those that this process uses, found or built once.
    ///
    /// # Errors
    /// [`Error::Unavailable`] and [`Error::Assets`].
    pub fn get() -> Result<&'static Self, Error> {
        static FOUND: OnceLock<Result<Binaries, Error>> = OnceLock::new();
        let assets =
            || env::var_os("KUBEBUILDER_ASSETS").filter(|value| !value.is_empty()).map(PathBuf::from);
        FOUND.get_or_init(|| Self::find(assets().as_deref(), &cache()?)).as_ref().map_err(Clone::clone)
    }

    /// In `assets` if that is given, otherwise in `cache`, built if need be.
    ///
    /// # Errors
    /// [`Error::Unavailable`] and [`Error::Assets`].
    pub fn find(assets: Option<&Path>, cache: &Path) -> Result<Self, Error> {
        let Some(folder) = assets else { return build::once(cache) };
        Self::in_folder(folder).map_err(|missing| Error::Assets {
            folder: folder.display().to_string(),
            missing: missing.join(" and "),
        })
    }

    /// Those of a folder, or the names of those that are not there.
    pub(crate) fn in_folder(folder: &Path) -> Result<Self, Vec<&'static str>> {
        let program = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
        match (program("etcd"), program("kube-apiserver")) {
            (Some(etcd), Some(kube_apiserver)) => {
                Ok(Self { etcd, kube_apiserver, kubectl: program("kubectl") })
            }
            (etcd, apiserver) => Err([("etcd", etcd), ("kube-apiserver", apiserver)]
                .into_iter()
                .filter_map(|(name, path)| path.is_none().then_some(name))
                .collect()),
        }
    }
}

/// The cache's folder, which need not be there yet.
pub(crate) fn cache() -> Result<PathBuf, Error> {
    if let Some(folder) = env::var_os("EAGRE_APISERVER_CACHE").filter(|value| !value.is_empty()) {
        return Ok(PathBuf::from(folder));
    }
    let test = env::current_exe().map_err(Error::machine("the path of this program"))?;
    // Cargo marks its target directories so.
    let target = test.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    target.map(|target| target.join("apiserver")).ok_or_else(|| Error::Machine {
        what: format!(
            "no place to keep a Kubernetes API server: {} is in no target directory of cargo",
            test.display()
        ),
        cause: "set EAGRE_APISERVER_CACHE to a folder".into(),
    })
}
