//! Which of its parts a control plane plays.

use std::fs;
use std::process::ExitCode;

use tracing::error;

use crate::args::{Args, ClusterArgs, Role};
use crate::cluster::{self, ClusterError, Options};
use crate::resolve::{IngressUrlError, Resolver};
use crate::{exit, log, run as files};

/// Runs the control plane until SIGTERM or SIGINT. Exit codes are those of
/// [`crate::exit`].
pub fn run(args: Args) -> ExitCode {
    let (cluster, snapshot, controls) = match args.role {
        None => return files::run(args.files),
        Some(Role::Files(args)) => return files::run(args),
        Some(Role::Controller(args)) => (args.cluster, None, true),
        Some(Role::Agent(args)) => (args.cluster, Some(args.snapshot), false),
        Some(Role::Cluster(args)) => (args.cluster, Some(args.snapshot), true),
    };
    log::start(cluster.log_format);
    let options = match options(cluster) {
        Ok(options) => Options { snapshot, controls, ..options },
        Err(error) => {
            error!("--external-url: {error}");
            return ExitCode::from(exit::USAGE);
        }
    };
    // One thread: all state belongs to one task, and the rest waits for the network.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome =
        runtime.map_err(ClusterError::System).and_then(|runtime| runtime.block_on(cluster::run(options)));
    match outcome {
        Ok(()) => ExitCode::from(exit::OK),
        Err(error) => {
            error!("{error}");
            ExitCode::from(match error {
                ClusterError::Config(_) => exit::CONFIG,
                ClusterError::Snapshot(_) => exit::CANNOT_CREATE,
                ClusterError::System(_) => exit::OS_ERROR,
            })
        }
    }
}

fn options(args: ClusterArgs) -> Result<Options, IngressUrlError> {
    let domain = args.cluster_domain.unwrap_or_else(|| {
        let resolv_conf = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        searched_domain(&resolv_conf).unwrap_or("cluster.local").to_owned()
    });
    let system = args.system_namespace;
    let url = args.external_url.unwrap_or_else(|| format!("http://eagre-ingress.{system}.svc.{domain}"));
    let name =
        args.name.unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().to_lowercase());
    Ok(Options {
        controls: false,
        snapshot: None,
        kubeconfig: args.kubeconfig,
        namespace: args.namespace,
        system,
        identity: name,
        resolver: Resolver::new(&url)?.in_domain(&domain),
    })
}

/// The DNS suffix of a cluster as a pod's resolver is told it (contract 4.5).
fn searched_domain(resolv_conf: &str) -> Option<&str> {
    let searched = resolv_conf.lines().filter_map(|line| line.strip_prefix("search "));
    searched.flat_map(str::split_whitespace).find_map(|domain| domain.strip_prefix("svc."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_finds_the_suffix_of_its_cluster() {
        let text =
            "nameserver 10.0.0.10\nsearch ns.svc.example.org svc.example.org example.org\noptions ndots:5\n";
        assert_eq!(searched_domain(text), Some("example.org"));
        assert_eq!(searched_domain("search home.arpa\n"), None);
    }
}
