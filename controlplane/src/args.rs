//! Command line of the control plane.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};
use eagre_settings::{duration, within};
use eagre_snapshot::GRACE_MS_RANGE;

/// Where the data plane listens unless told otherwise.
pub const DEFAULT_INGRESS_URL: &str = "http://127.0.0.1:8080";

/// Compiles Knative objects and publishes them to the data plane. Without a role: from files.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "eagre-controlplane",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub struct Args {
    /// What this process does; without one, it reads files.
    #[command(subcommand)]
    pub role: Option<Role>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub files: FilesArgs,
}

/// What a control plane can be.
#[derive(Clone, Debug, Subcommand)]
pub enum Role {
    /// Read manifests from files, and publish them to the data plane beside
    Files(FilesArgs),
    /// Write the status of a cluster's brokers and triggers; of several, one leads
    Controller(ControllerArgs),
    /// Publish a cluster's brokers and triggers to the data plane beside
    Agent(AgentArgs),
    /// Controller and agent in one process
    Cluster(AgentArgs),
}

/// `eagre-controlplane controller`.
#[derive(Clone, Debug, clap::Args)]
pub struct ControllerArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub cluster: ClusterArgs,
}

/// `eagre-controlplane agent`.
#[derive(Clone, Debug, clap::Args)]
pub struct AgentArgs {
    /// Folder of the snapshot that the data plane maps
    #[arg(long, value_name = "DIR")]
    pub snapshot: PathBuf,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub cluster: ClusterArgs,
}

/// The cluster and this process in it.
#[derive(Clone, Debug, clap::Args)]
pub struct ClusterArgs {
    /// How to reach the API server; without it $KUBECONFIG, ~/.kube/config, or what a pod is told
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// The only namespace whose brokers and triggers count; without it all do
    #[arg(long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,

    /// Namespace of Knative's ConfigMaps, and of the leases of controllers and agents
    #[arg(long, value_name = "NAMESPACE", default_value = "knative-eventing")]
    pub system_namespace: String,

    /// DNS suffix of the cluster; without it, what /etc/resolv.conf searches, or cluster.local
    #[arg(long, value_name = "DOMAIN")]
    pub cluster_domain: Option<String>,

    /// Base URL of the addresses of brokers, the same for controller and agents; without it
    /// http://eagre-ingress.SYSTEM-NAMESPACE.svc.CLUSTER-DOMAIN
    #[arg(long, value_name = "URL")]
    pub external_url: Option<String>,

    /// What this process is called among its like; without it the name of the host
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// How log lines are written to standard error
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// `eagre-controlplane files`.
#[derive(Clone, Debug, clap::Args)]
pub struct FilesArgs {
    /// Manifest file, or folder that is read with everything below it (*.yaml, *.yml); may be repeated
    #[arg(short = 'f', long = "filename", value_name = "PATH")]
    pub filename: Vec<PathBuf>,

    /// Folder of the snapshot that the data plane maps
    // Always there, unless another role is given.
    #[arg(long, value_name = "DIR", required = true)]
    pub snapshot: Option<PathBuf>,

    /// Base URL under which the data plane takes events; resolves references to brokers
    #[arg(long, value_name = "URL", default_value = DEFAULT_INGRESS_URL)]
    pub ingress_url: String,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub grace: Grace,

    /// Make broker default/default with a trigger that sends every event to this URL
    #[arg(long, value_name = "URL")]
    pub builtin_display: Option<String>,

    /// How log lines are written to standard error
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// What vanishes from the manifests. `eagre up` takes the same and hands it on.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Grace {
    /// How long the data plane keeps what vanished from the manifests before it gives up the events of it: 0s to 24h
    #[arg(long = "grace", value_name = "DURATION", value_parser = grace, default_value = "60s")]
    pub ms: u64,
}

impl Grace {
    /// The option as it is written on a command line.
    #[must_use]
    pub fn to_command_line(self) -> [OsString; 2] {
        ["--grace".into(), duration::text(Duration::from_millis(self.ms)).into()]
    }
}

/// The text of `--grace` in milliseconds.
fn grace(text: &str) -> Result<u64, String> {
    let written = |ms: &u64| duration::text(Duration::from_millis(*ms));
    let grace = duration::parse(text).map_err(|error| error.to_string())?.as_millis() as u64;
    within(&grace, &GRACE_MS_RANGE, written).map(|()| grace)
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line of text for people.
    Text,
    /// One JSON object a line for log collectors.
    Json,
}
