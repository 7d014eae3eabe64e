//! The examples below each help text.

/// Below `eagre --help`.
pub const TOP: &str = "\
Examples:
  eagre up                            broker default/default that prints every event it gets
  eagre up -f manifests/              brokers and triggers from Knative manifests, applied live
  eagre check -f manifests/           what works here, what does not, and what to do about it
  eagre completion bash > ~/.local/share/bash-completion/completions/eagre

Exit codes are those of sysexits.h; `eagre COMMAND --help` names the ones that matter.";

/// Below `eagre up --help`.
pub const UP: &str = "\
Examples:
  eagre up
  eagre up -f shop.yaml -f more/ --data /var/lib/eagre
  eagre up --listen 127.0.0.1:0 --admin 127.0.0.1:0     any free ports
  eagre up --fsync never                                events survive a crash of Eagre, not of the machine

Ctrl-C stops taking events, lets deliveries finish and stops; what is left is delivered at the
next start. A second Ctrl-C stops at once and loses nothing that was acknowledged.

Exit codes:
  0   stopped as asked             71  a port is in use, or the system refused something
  64  wrong command line           75  held by another process, or stopped before it had drained
  65  the log is damaged           78  wrong manifest or tuning file";

/// Below `eagre check --help`.
pub const CHECK: &str = "\
Examples:
  eagre check
  eagre check -f manifests/ --data /var/lib/eagre
  eagre check -o json | jq '.checks[] | select(.status != \"ok\")'

The disk is measured by writing and syncing 4 KiB fifty times to a file that is removed again.

Exit codes:
  0   nothing fails (warnings may be there)     1   something does not work
  64  wrong command line                        78  a manifest is wrong";

/// Below `eagre completion --help`.
pub const COMPLETION: &str = "\
Examples:
  eagre completion bash > ~/.local/share/bash-completion/completions/eagre
  eagre completion zsh > ~/.zfunc/_eagre
  eagre completion fish > ~/.config/fish/completions/eagre.fish";
