//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use eagre_controlplane::Grace;
use eagre_dataplane::TuningArgs;
use eagre_wal::Since;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

use crate::{help, wal};

/// A drop-in broker for Knative Eventing: durable, fast, and on a laptop one command
#[derive(Debug, Parser)]
#[command(name = "eagre", version, max_term_width = 100, after_help = help::TOP, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run Eagre on this machine, without a cluster
    #[command(after_help = help::UP)]
    Up(UpArgs),
    /// Examine this machine and manifests before Eagre runs on them
    #[command(after_help = help::CHECK)]
    Check(CheckArgs),
    /// Print a tuning file with every key, its default and its reason
    #[command(after_help = help::SETTINGS)]
    Settings,
    /// Try filters of triggers on an event, without a broker
    #[command(subcommand, after_help = help::FILTER, arg_required_else_help = true)]
    Filter(FilterCommand),
    /// Print what a cluster needs for Eagre, for kubectl apply -f -
    #[command(after_help = help::INSTALL)]
    Install(InstallArgs),
    /// Look into the logs of a data directory, check them, and save what can be saved
    #[command(subcommand, after_help = help::WAL, arg_required_else_help = true)]
    Wal(WalCommand),
    /// Print a completion script for a shell
    #[command(after_help = help::COMPLETION)]
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Where Eagre keeps its log and listens; `check` examines what `up` would use.
#[derive(Debug, Args)]
pub struct Place {
    /// Directory of the log; made if it is missing
    #[arg(long, value_name = "DIR", default_value = "./eagre-data")]
    pub data: PathBuf,

    /// Address where events are posted; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// Address of health, metrics and the admin interface
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9092")]
    pub admin: SocketAddr,
}

/// `eagre up`.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// Knative manifests, a file or a folder; watched, changes apply at once; may be repeated.
    /// Without any: broker default/default and a display of every event
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR")]
    pub filename: Vec<PathBuf>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub cluster: ClusterArgs,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub place: Place,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub tuning: TuningArgs,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub grace: Grace,
}

/// A cluster in the place of manifests.
#[derive(Debug, Args)]
pub struct ClusterArgs {
    /// Serve the brokers of class Eagre of the cluster that this kubeconfig leads to
    #[arg(long, value_name = "FILE", group = "cluster", conflicts_with = "filename")]
    pub kubeconfig: Option<PathBuf>,

    /// The same for the cluster that this runs in, as a pod
    #[arg(long, group = "cluster", conflicts_with_all = ["filename", "kubeconfig"])]
    pub in_cluster: bool,

    /// The only namespace of the cluster whose brokers and triggers count
    #[arg(long, value_name = "NAMESPACE", requires = "cluster")]
    pub namespace: Option<String>,

    /// Base URL of the brokers' addresses, if the cluster reaches them under another than --listen
    #[arg(long, value_name = "URL", requires = "cluster")]
    pub external_url: Option<String>,

    /// Namespace of Knative's ConfigMaps and of Eagre's leases [default: knative-eventing]
    #[arg(long, value_name = "NAMESPACE", requires = "cluster")]
    pub system_namespace: Option<String>,
}

impl ClusterArgs {
    /// Whether there is one.
    pub fn is_given(&self) -> bool {
        self.kubeconfig.is_some() || self.in_cluster
    }
}

/// `eagre check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Knative manifests, a file or a folder; may be repeated
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR")]
    pub filename: Vec<PathBuf>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub place: Place,

    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// `eagre filter`.
#[derive(Debug, Subcommand)]
pub enum FilterCommand {
    /// Print what an expression, or each trigger of a file, makes of an event
    #[command(after_help = help::FILTER_TEST)]
    Test(FilterTestArgs),
    /// Say which triggers an event goes to, and what stopped it on the way to the others
    #[command(after_help = help::FILTER_EXPLAIN)]
    Explain(FilterExplainArgs),
}

/// `eagre filter test`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("filter").required(true).args(["cesql", "filename"])))]
pub struct FilterTestArgs {
    /// A CloudEvents SQL expression
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true)]
    pub cesql: Option<String>,

    /// Manifests with triggers, a file or a folder; may be repeated
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR")]
    pub filename: Vec<PathBuf>,

    /// The event as structured JSON (application/cloudevents+json); - reads standard input
    #[arg(long, value_name = "FILE|-")]
    pub event: PathBuf,

    /// End with 1 if the event does not match, or not every trigger of the file
    #[arg(long)]
    pub exit_code: bool,

    /// Form of the output; json is one object a line
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// `eagre filter explain`.
#[derive(Debug, Args)]
pub struct FilterExplainArgs {
    /// Manifests with triggers, a file or a folder; may be repeated
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR", required = true)]
    pub filename: Vec<PathBuf>,

    /// The event as structured JSON (application/cloudevents+json); - reads standard input
    #[arg(long, value_name = "FILE|-")]
    pub event: PathBuf,

    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// `eagre install`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("parts").required(true).multiple(true).args(["crds", "knative_crds"])))]
pub struct InstallArgs {
    /// The definitions of Eagre's own kinds: EagreChannel
    #[arg(long)]
    pub crds: bool,

    /// The definitions of upstream's kinds (Broker, Trigger, Channel, …); only for a cluster
    /// without Knative Eventing, which has its own
    #[arg(long)]
    pub knative_crds: bool,

    /// Form of the output; json is one list
    #[arg(short, long, value_enum, default_value_t = Manifest::Yaml)]
    pub output: Manifest,
}

/// `eagre wal`.
#[derive(Debug, Subcommand)]
pub enum WalCommand {
    /// Show what the logs consist of, or their records; changes nothing
    #[command(after_help = help::WAL_INSPECT)]
    Inspect(WalInspectArgs),
    /// Read every byte of the logs and name all that is damaged; changes nothing
    #[command(after_help = help::WAL_VERIFY)]
    Verify(WalVerifyArgs),
    /// Write what is whole of damaged logs to a new directory; leaves the old one as it is
    #[command(after_help = help::WAL_SALVAGE)]
    Salvage(WalSalvageArgs),
}

/// `eagre wal inspect`.
#[derive(Debug, Args)]
pub struct WalInspectArgs {
    /// A data directory, or the directory of one log
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// Show the records instead
    #[arg(long)]
    pub records: bool,

    /// Begin at a position, or at a time like 2026-11-21T15:00:00Z
    #[arg(long, value_name = "LSN|TIME", value_parser = wal::since, requires = "records")]
    pub from: Option<Since>,

    /// Show at most N records
    #[arg(long, value_name = "N", requires = "records")]
    pub limit: Option<usize>,

    /// Form of the output; json is one document, or one object a line with --records
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// `eagre wal verify`.
#[derive(Debug, Args)]
pub struct WalVerifyArgs {
    /// A data directory, or the directory of one log
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// `eagre wal salvage`.
#[derive(Debug, Args)]
pub struct WalSalvageArgs {
    /// A data directory, or the directory of one log; no process may have it
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// Where to write; made, and must not hold anything
    #[arg(long, value_name = "NEWDIR")]
    pub to: PathBuf,

    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// Form of printed data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// JSON.
    Json,
}

/// Form of printed manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Manifest {
    /// A document for each object.
    Yaml,
    /// JSON.
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
