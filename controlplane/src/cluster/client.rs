//! The way to the API server.

use std::path::Path;

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::limits::{API_CONNECT_TIMEOUT, API_REQUEST_TIMEOUT, API_SILENCE_MAX};

/// As a file says; without one, as `$KUBECONFIG` or `~/.kube/config` do, or as a pod is
/// told.
pub async fn config(file: Option<&Path>) -> Result<Config, String> {
    let mut config = match file {
        Some(path) => {
            let named = |error: String| format!("kubeconfig {}: {error}", path.display());
            let kubeconfig = Kubeconfig::read_from(path).map_err(|error| named(error.to_string()))?;
            let options = KubeConfigOptions::default();
            Config::from_custom_kubeconfig(kubeconfig, &options)
                .await
                .map_err(|error| named(error.to_string()))?
        }
        None => Config::infer().await.map_err(|error| {
            format!("no cluster is known: {error}; give --kubeconfig FILE, or run in a pod")
        })?,
    };
    config.connect_timeout = Some(API_CONNECT_TIMEOUT);
    config.read_timeout = Some(API_SILENCE_MAX);
    config.write_timeout = Some(API_REQUEST_TIMEOUT);
    Ok(config)
}
