//! The examples below each help text.

/// Below `eagre --help`.
pub const TOP: &str = "\
Examples:
  eagre up                            broker default/default that prints every event it gets
  eagre up -f manifests/              brokers and triggers from Knative manifests, applied live
  eagre check -f manifests/           what works here, what does not, and what to do about it
  eagre filter explain -f manifests/ --event order.json
                                      which triggers the event goes to, and why not to the others
  eagre wal verify eagre-data         whether the logs of a data directory are whole
  eagre settings > eagre.toml         a tuning file for eagre up --config
  eagre install --crds | kubectl apply -f -
                                      the definition of Eagre's own kind, for a cluster
  eagre completion bash > ~/.local/share/bash-completion/completions/eagre

Exit codes are those of sysexits.h; `eagre COMMAND --help` names the ones that matter.";

/// Below `eagre up --help`.
pub const UP: &str = "\
Examples:
  eagre up
  eagre up -f shop.yaml -f more/ --data /var/lib/eagre
  eagre up --listen 127.0.0.1:0 --admin 127.0.0.1:0     any free ports
  eagre up --fsync never                                events survive a crash of Eagre, not of the machine
  eagre up --kubeconfig ~/.kube/config --external-url http://10.1.2.3:8080 --listen 0.0.0.0:8080
                                                        a cluster's brokers of class Eagre

Ctrl-C stops taking events, lets deliveries finish and stops; what is left is delivered at the
next start. A second Ctrl-C stops at once and loses nothing that was acknowledged.

Exit codes:
  0   stopped as asked             71  a port is in use, or the system refused something
  64  wrong command line           75  held by another process, or stopped before it had drained
  65  the log is damaged           78  wrong manifest or tuning file

After 65: eagre wal verify DIR says what is damaged; docs/salvage.md says what to do.";

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

/// Below `eagre settings --help`.
pub const SETTINGS: &str = "\
Examples:
  eagre settings > eagre.toml && eagre up --config eagre.toml
  eagre settings | grep -B 8 body_bytes_max

docs/settings.md has the same as tables. What one broker may have otherwise, its ConfigMap says.";

/// Below `eagre filter --help`.
pub const FILTER: &str = "\
Examples:
  eagre filter test --cesql \"type LIKE 'com.example.%' AND amount > 100\" --event order.json
  eagre filter test -f trigger.yaml --event order.json
  eagre filter explain -f manifests/ --event order.json

An event is a file like {\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/shop\",\"type\":\"order.created\"}.
It is judged by the code that judges it in a broker. Nothing is sent and nothing has to run.";

/// Below `eagre filter test --help`.
pub const FILTER_TEST: &str = "\
Examples:
  eagre filter test --cesql \"EXISTS subject AND LENGTH(id) < 10\" --event order.json
  curl -s http://localhost/event.json | eagre filter test -f trigger.yaml --event -
  eagre filter test --cesql \"amount > 100\" --event order.json -o json | jq .error
  eagre filter test -f trigger.yaml --event order.json --exit-code && echo it matches

An expression matches if its value is the Boolean true and there is no error. Brokers and
subscribers of the triggers need not exist.

JSON: {\"value\":…,\"error\":null|\"cast\"|…,\"matches\":…} for an expression, one line a trigger
for manifests: {\"namespace\":…,\"name\":…,\"broker\":…,\"matches\":…,\"stops\":[{\"path\",\"asks\",\"has\"}]}.
What cannot be judged: {\"value\":null,\"error\":\"parse\"|\"event\"|\"manifest\",\"matches\":false,\"message\":…,
\"path\":…,\"line\":…,\"column\":…,\"hint\":…}, a line for each mistake.

Exit codes:
  0   judged, whatever came out                 1   with --exit-code: it does not match
  64  wrong command line                        65  not an event, or not an expression
  66  the event cannot be read                  78  a manifest is wrong, or none has a trigger";

/// Below `eagre filter explain --help`.
pub const FILTER_EXPLAIN: &str = "\
Examples:
  eagre filter explain -f manifests/ --event order.json
  eagre filter explain -f shop.yaml -f more/ --event - < order.json
  eagre filter explain -f manifests/ --event order.json -o json | jq '.triggers[].matches'

Triggers are listed by broker, then by name. Of one that does not match, each condition that
stopped the event follows: where it stands in the filter, what it asks, what the event has.

Exit codes:
  0   judged, whatever came out                 64  wrong command line
  65  not an event                              66  the event cannot be read
  78  a manifest is wrong, or none has a trigger";

/// Below `eagre install --help`.
pub const INSTALL: &str = "\
Examples:
  eagre install --crds | kubectl apply -f -
  eagre install --crds --knative-crds | kubectl apply -f -     a cluster without Knative Eventing
  eagre install --crds -o json | jq '.items[].metadata.name'

Where Knative Eventing is installed, the definitions of its kinds belong to it: leave
--knative-crds out there. With them comes a policy that keeps the class of a Broker.

Exit codes:
  0   printed                                   64  wrong command line";

/// Below `eagre wal --help`.
pub const WAL: &str = "\
Examples:
  eagre wal inspect eagre-data
  eagre wal inspect eagre-data/shard-0 --records --limit 10 -o json
  eagre wal verify eagre-data
  eagre wal salvage eagre-data --to eagre-data.salvaged

DIR is a data directory with all logs below it (shard-0, shard-0/dead-letters, …), or the
directory of one log. docs/salvage.md tells what to do about a damaged log.";

/// Below `eagre wal inspect --help`.
pub const WAL_INSPECT: &str = "\
Examples:
  eagre wal inspect eagre-data
  eagre wal inspect eagre-data/shard-0 -o json | jq '.logs[].cursors'
  eagre wal inspect eagre-data --records --from 2026-11-21T15:00:00Z --limit 10
  eagre wal inspect eagre-data/shard-0 --records --from 0000000000001000 -o json | jq .event.id

It takes no lock and writes nothing, and may run beside a process that has the log; then the
end of the log moves on meanwhile. It reads headers and seals, and the end of each log whole:
whether everything between is whole, eagre wal verify says.

Exit codes:
  0   shown                                     64  wrong command line
  66  no log is there, or it cannot be read";

/// Below `eagre wal verify --help`.
pub const WAL_VERIFY: &str = "\
Examples:
  eagre wal verify eagre-data
  eagre wal verify eagre-data -o json | jq '.logs[].damages[]'

It takes no lock and writes nothing. Every byte is read from the disk, which takes as long as
the disk does. A torn tail above the durable mark is sound: nobody was told that it is there.

Exit codes:
  0   every log is sound                        64  wrong command line
  65  a log is damaged, or of a later release   66  no log is there, or it cannot be read";

/// Below `eagre wal salvage --help`.
pub const WAL_SALVAGE: &str = "\
Examples:
  eagre wal salvage eagre-data --to eagre-data.salvaged
  eagre wal salvage eagre-data/shard-0 --to shard-0.salvaged

For a damaged log of which no copy exists. Every whole record keeps its position; what is lost
is bridged and listed; where progress of triggers is lost, events are delivered again. DIR is
left as it is. NEWDIR needs as much space as the logs have.

Exit codes:
  0   done, and what was written is sound       64  wrong command line
  65  the log of a later release, see verify    66  no log is there, or it cannot be read
  73  NEWDIR cannot be written, or holds files  75  a process has the log: stop it first";

/// Below `eagre completion --help`.
pub const COMPLETION: &str = "\
Examples:
  eagre completion bash > ~/.local/share/bash-completion/completions/eagre
  eagre completion zsh > ~/.zfunc/_eagre
  eagre completion fish > ~/.config/fish/completions/eagre.fish";
